"""A transaction as Paystack writes it: at verify, at fetch, in a list and in the webhook, each a little different."""

import json
from datetime import UTC, datetime
from typing import Any

from sandbox.transactions.cards import customer
from sandbox.transactions.channels import authorization
from sandbox.transactions.ledger import Transaction
from sandbox.transactions.timeline import log


def instant(milliseconds: int | None) -> str | None:
    if milliseconds is None:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def source(transaction: Transaction) -> dict[str, Any]:
    return {
        "type": "api",
        "source": "merchant_api",
        "entry_point": transaction.entry_point,
        "identifier": None,
    }


def _common(transaction: Transaction, no_metadata: Any) -> dict[str, Any]:
    paid_at, created_at = instant(transaction.paid_at), instant(transaction.created_at)
    return {
        "id": transaction.id,
        "domain": transaction.domain,
        "status": transaction.status,
        "reference": transaction.reference,
        "receipt_number": None,
        "amount": transaction.amount,
        "message": transaction.message,
        "gateway_response": transaction.gateway_response,
        "paid_at": paid_at,
        "created_at": created_at,
        "channel": transaction.channel,
        "currency": transaction.currency,
        "ip_address": transaction.ip_address,
        "metadata": no_metadata if transaction.metadata is None else json.loads(transaction.metadata),
        "log": log(transaction),
        "fees": transaction.fees,
        "fees_split": None,
        "authorization": authorization(transaction) if transaction.paid else {},
        "customer": customer(transaction.email),
        "plan": None,
        "split": {},
        "order_id": None,
        "paidAt": paid_at,
        "createdAt": created_at,
        "requested_amount": transaction.requested_amount,
        "pos_transaction_data": None,
        "source": None,
        "fees_breakdown": None,
        "connect": None,
        "subaccount": {},
    }


def verified(transaction: Transaction) -> dict[str, Any]:
    body = _common(transaction, "")
    return body | {"transaction_date": body["created_at"], "plan_object": {}}


def fetched(transaction: Transaction) -> dict[str, Any]:
    return _common(transaction, "") | {"helpdesk_link": None, "plan": {}, "source": source(transaction)}


def listed(transaction: Transaction) -> dict[str, Any]:
    body = _common(transaction, None) | {"plan": {}, "source": source(transaction)}
    del body["receipt_number"], body["fees_breakdown"]
    return body


ATTEMPTED = (
    *("amount", "currency", "status", "reference", "domain", "metadata", "gateway_response", "message", "channel"),
    *("ip_address", "log", "fees", "authorization", "customer", "plan", "id"),
)


def attempted(transaction: Transaction) -> dict[str, Any]:
    """A saved card that was charged."""
    body = _common(transaction, "")
    chosen = {each: body[each] for each in ATTEMPTED}
    return chosen | {"authorization": authorization(transaction), "transaction_date": body["created_at"]}


def enclosed(transaction: Transaction) -> dict[str, Any]:
    """Within a dispute."""
    return _common(transaction, "") | {"plan": {}}


def charged(transaction: Transaction) -> dict[str, Any]:
    """In the webhook of a successful charge; some channels tell it otherwise."""
    data = _common(transaction, "") | {"log": None, "plan": {}, "source": source(transaction)}
    del data["receipt_number"], data["createdAt"], data["connect"]
    if transaction.channel == "card":
        data["authorization"] |= {"receiver_bank_account_number": None, "receiver_bank": None}
    return data
