"""charge.success as Paystack writes it: hardly two channels agree on the fields, nor on their types."""

from collections.abc import Callable
from typing import Any, Literal

from sandbox.transactions.bodies import charged
from sandbox.transactions.ledger import Transaction
from sandbox.transactions.timeline import log
from sandbox.wire import compact

Data = dict[str, Any]
Shape = Literal["bulk_charge", "legacy", "multi_split", "subscription", "virtual_terminal"]
"""Card payments that are told in another way than the usual."""


def notice(transaction: Transaction, shape: Shape | None = None) -> bytes:
    """The webhook body of a successful charge."""
    data = charged(transaction)
    change = SHAPES[shape] if shape else CHANNELS.get(transaction.channel)
    if change is not None:
        data = change(transaction, data)
    return compact({"event": "charge.success", "data": data})


def _without(data: Data, *names: str) -> Data:
    return {name: value for name, value in data.items() if name not in names}


def _breakdown(data: Data) -> Data:
    """The sum is a text."""
    return {"amount": str(data["fees"] or 0), "formula": None, "type": "paystack"}


def _metadata(data: Data, added: Data) -> Data:
    sent = data["metadata"]
    return {"metadata": (sent if isinstance(sent, dict) else {}) | added}


def _old_customer(data: Data) -> Data:
    return {"customer": _without(data["customer"], "international_format_phone") | {"phone": ""}}


OLD = ("requested_amount", "pos_transaction_data", "source", "fees_breakdown", "split", "order_id")
"""What the older channels do not tell."""


def _ussd(_: Transaction, data: Data) -> Data:
    return _without(data, *OLD) | _old_customer(data)


def _mobile_money(_: Transaction, data: Data) -> Data:
    return _without(data, *OLD) | _old_customer(data) | {"subaccount_group": {}}


def _qr(transaction: Transaction, data: Data) -> Data:
    return _mobile_money(transaction, data) | {"fees_breakdown": _breakdown(data)}


def _transfer(transaction: Transaction, data: Data) -> Data:
    if transaction.currency != "KES":
        return data
    return data | {"fees_breakdown": _breakdown(data), "metadata": data["metadata"] or 0}


def _pos(transaction: Transaction, data: Data) -> Data:
    source = {"type": "offline", "source": "pos", "entry_point": "pos_initialize", "identifier": "SANDBOX1"}
    return _without(data, "fees_breakdown") | {
        "amount": str(transaction.amount),
        "requested_amount": str(transaction.requested_amount),
        "metadata": data["metadata"] or 0,
        "source": source,
    }


def _legacy(transaction: Transaction, data: Data) -> Data:
    known = _without(data, *OLD, "fees_split", "subaccount", "paidAt")
    card = _without(
        data["authorization"], "channel", "reusable", "signature", "receiver_bank_account_number", "receiver_bank"
    )
    return known | {
        "gateway_response": "Approved by Financial Institution",
        "metadata": data["metadata"] or 0,
        "log": _without(log(transaction) or {}, "start_time") | {"authentication": "pin", "channel": None},
        "fees": None,
        "authorization": card,
        "customer": _without(data["customer"], "international_format_phone"),
    }


def _bulk_charge(_: Transaction, data: Data) -> Data:
    field = {"display_name": "Charged via", "variable_name": "charged_via", "value": "Bulkcharge"}
    source = data["source"] | {"entry_point": "charge"}
    return data | _metadata(data, {"custom_fields": [field]}) | {"source": source}


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
    known = _without(data, "pos_transaction_data", "source", "fees_breakdown")
    return known | _metadata(data, {"invoice_action": "create"}) | {"plan": plan}


def _virtual_terminal(_: Transaction, data: Data) -> Data:
    code = "VT_SANDBOX1"
    source = {
        "type": "offline",
        "source": "virtual_terminal",
        "entry_point": "request_inline",
        "identifier": code,
    }
    origin = {"virtual_terminal": {"code": code}, "referrer": f"https://sandbox.example/{code.lower()}"}
    return data | _metadata(data, origin) | {"source": source}


def _multi_split(transaction: Transaction, data: Data) -> Data:
    """Cut short: neither currency nor channel, fees or customer."""
    told = ("id", "domain", "status", "reference", "amount", "message", "gateway_response", "paid_at")
    share = {"subaccount_code": "ACCT_sandbox0partner", "id": 12_001}
    partner, kept = transaction.amount // 5, transaction.fees or 0
    formula = {"type": "percentage", "subaccounts": [share | {"share": 20, "name": "Partner"}], "integration": 80}
    shares = {
        "paystack": kept,
        "subaccounts": [share | {"amount": partner}],
        "integration": transaction.amount - partner - kept,
    }
    split = {"id": 11, "name": "Partner", "split_code": "SPL_sandbox01", "formula": formula, "shares": shares}
    return {name: data[name] for name in told} | {"split": split}


Change = Callable[[Transaction, Data], Data]
CHANNELS: dict[str, Change] = {
    "bank_transfer": _transfer,
    "mobile_money": _mobile_money,
    "pos": _pos,
    "qr": _qr,
    "ussd": _ussd,
}
SHAPES: dict[Shape, Change] = {
    "bulk_charge": _bulk_charge,
    "legacy": _legacy,
    "multi_split": _multi_split,
    "subscription": _subscription,
    "virtual_terminal": _virtual_terminal,
}
