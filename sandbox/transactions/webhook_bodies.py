"""Webhook bodies of charge.success. Their fields and types depend on the channel and the shape."""

from collections.abc import Callable
from typing import Any

from sandbox.enums import Channel, WebhookShape
from sandbox.responses import compact_json
from sandbox.transactions.bodies import webhook_data
from sandbox.transactions.models import Transaction
from sandbox.transactions.timeline import log_body

Data = dict[str, Any]


def charge_success_body(transaction: Transaction, shape: WebhookShape | None = None) -> bytes:
    """Return the webhook body of a paid transaction, in the usual shape for its channel or in `shape`."""
    data = webhook_data(transaction)
    change = SHAPES[shape] if shape else CHANNELS.get(transaction.channel)
    if change is not None:
        data = change(transaction, data)
    return compact_json({"event": "charge.success", "data": data})


def _without(data: Data, *names: str) -> Data:
    return {name: value for name, value in data.items() if name not in names}


def _fees_breakdown(data: Data) -> Data:
    """Return fees_breakdown, in which the amount is a string."""
    return {"amount": str(data["fees"] or 0), "formula": None, "type": "paystack"}


def _with_metadata(data: Data, added: Data) -> Data:
    sent = data["metadata"]
    return {"metadata": (sent if isinstance(sent, dict) else {}) | added}


def _customer_of_older_channels(data: Data) -> Data:
    return {"customer": _without(data["customer"], "international_format_phone") | {"phone": ""}}


ABSENT_IN_OLDER_CHANNELS = ("requested_amount", "pos_transaction_data", "source", "fees_breakdown", "split", "order_id")
"""Fields that are absent for channels with an older shape."""


def _ussd(_: Transaction, data: Data) -> Data:
    return _without(data, *ABSENT_IN_OLDER_CHANNELS) | _customer_of_older_channels(data)


def _mobile_money(_: Transaction, data: Data) -> Data:
    return _without(data, *ABSENT_IN_OLDER_CHANNELS) | _customer_of_older_channels(data) | {"subaccount_group": {}}


def _qr(transaction: Transaction, data: Data) -> Data:
    return _mobile_money(transaction, data) | {"fees_breakdown": _fees_breakdown(data)}


def _transfer(transaction: Transaction, data: Data) -> Data:
    if transaction.currency != "KES":
        return data
    return data | {"fees_breakdown": _fees_breakdown(data), "metadata": data["metadata"] or 0}


def _pos(transaction: Transaction, data: Data) -> Data:
    source = {"type": "offline", "source": "pos", "entry_point": "pos_initialize", "identifier": "SANDBOX1"}
    return _without(data, "fees_breakdown") | {
        "amount": str(transaction.amount),
        "requested_amount": str(transaction.requested_amount),
        "metadata": data["metadata"] or 0,
        "source": source,
    }


def _legacy(transaction: Transaction, data: Data) -> Data:
    remaining = _without(data, *ABSENT_IN_OLDER_CHANNELS, "fees_split", "subaccount", "paidAt")
    card = _without(
        data["authorization"], "channel", "reusable", "signature", "receiver_bank_account_number", "receiver_bank"
    )
    return remaining | {
        "gateway_response": "Approved by Financial Institution",
        "metadata": data["metadata"] or 0,
        "log": _without(log_body(transaction) or {}, "start_time") | {"authentication": "pin", "channel": None},
        "fees": None,
        "authorization": card,
        "customer": _without(data["customer"], "international_format_phone"),
    }


def _bulk_charge(_: Transaction, data: Data) -> Data:
    field = {"display_name": "Charged via", "variable_name": "charged_via", "value": "Bulkcharge"}
    source = data["source"] | {"entry_point": "charge"}
    return data | _with_metadata(data, {"custom_fields": [field]}) | {"source": source}


def _subscription(transaction: Transaction, data: Data) -> Data:
    plan = {
        "id": 60_001,
        "name": "Monthly",
        "plan_code": "PLN_sandbox0monthly",
        "description": None,
        "amount": transaction.amount,
        "interval": "monthly",
        "send_invoices": True,
        "send_sms": True,
        "currency": transaction.currency,
    }
    remaining = _without(data, "pos_transaction_data", "source", "fees_breakdown")
    return remaining | _with_metadata(data, {"invoice_action": "create"}) | {"plan": plan}


def _virtual_terminal(_: Transaction, data: Data) -> Data:
    code = "VT_SANDBOX1"
    source = {
        "type": "offline",
        "source": "virtual_terminal",
        "entry_point": "request_inline",
        "identifier": code,
    }
    origin = {"virtual_terminal": {"code": code}, "referrer": f"https://sandbox.example/{code.lower()}"}
    return data | _with_metadata(data, origin) | {"source": source}


def _multi_split(transaction: Transaction, data: Data) -> Data:
    """Return `data` with few fields: without currency, channel, fees and customer."""
    fields = ("id", "domain", "status", "reference", "amount", "message", "gateway_response", "paid_at")
    share = {"subaccount_code": "ACCT_sandbox0partner", "id": 12_001}
    partner, fees = transaction.amount // 5, transaction.fees or 0
    formula = {"type": "percentage", "subaccounts": [share | {"share": 20, "name": "Partner"}], "integration": 80}
    shares = {
        "paystack": fees,
        "subaccounts": [share | {"amount": partner}],
        "integration": transaction.amount - partner - fees,
    }
    split = {"id": 11, "name": "Partner", "split_code": "SPL_sandbox01", "formula": formula, "shares": shares}
    return {name: data[name] for name in fields} | {"split": split}


Change = Callable[[Transaction, Data], Data]
CHANNELS: dict[Channel, Change] = {
    Channel.BANK_TRANSFER: _transfer,
    Channel.MOBILE_MONEY: _mobile_money,
    Channel.POS: _pos,
    Channel.QR: _qr,
    Channel.USSD: _ussd,
}
SHAPES: dict[WebhookShape, Change] = {
    WebhookShape.BULK_CHARGE: _bulk_charge,
    WebhookShape.LEGACY: _legacy,
    WebhookShape.MULTI_SPLIT: _multi_split,
    WebhookShape.SUBSCRIPTION: _subscription,
    WebhookShape.VIRTUAL_TERMINAL: _virtual_terminal,
}
