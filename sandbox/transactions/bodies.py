"""Bodies of a transaction. Each call of Paystack's API and the webhooks show slightly different fields."""

import json
from typing import Any

from sandbox.enums import Channel
from sandbox.timestamps import iso_timestamp
from sandbox.transactions.cards import customer
from sandbox.transactions.channels import authorization
from sandbox.transactions.models import Transaction
from sandbox.transactions.timeline import log_body


def source_body(transaction: Transaction) -> dict[str, Any]:
    return {
        "type": "api",
        "source": "merchant_api",
        "entry_point": transaction.entry_point,
        "identifier": None,
    }


def _common(transaction: Transaction, empty_metadata: Any) -> dict[str, Any]:
    """Return the fields that most bodies have. `empty_metadata`: value for a transaction without metadata."""
    paid_at, created_at = iso_timestamp(transaction.paid_at), iso_timestamp(transaction.created_at)
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
        "metadata": empty_metadata if transaction.metadata is None else json.loads(transaction.metadata),
        "log": log_body(transaction),
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


def verified_body(transaction: Transaction) -> dict[str, Any]:
    body = _common(transaction, "")
    return body | {"transaction_date": body["created_at"], "plan_object": {}}


def fetched_body(transaction: Transaction) -> dict[str, Any]:
    return _common(transaction, "") | {"helpdesk_link": None, "plan": {}, "source": source_body(transaction)}


def listed_body(transaction: Transaction) -> dict[str, Any]:
    body = _common(transaction, None) | {"plan": {}, "source": source_body(transaction)}
    del body["receipt_number"], body["fees_breakdown"]
    return body


CHARGE_ATTEMPT_FIELDS = (
    "amount",
    "currency",
    "status",
    "reference",
    "domain",
    "metadata",
    "gateway_response",
    "message",
    "channel",
    "ip_address",
    "log",
    "fees",
    "authorization",
    "customer",
    "plan",
    "id",
)


def charge_attempt_body(transaction: Transaction) -> dict[str, Any]:
    """Return the body of charge_authorization."""
    body = _common(transaction, "")
    fields = {name: body[name] for name in CHARGE_ATTEMPT_FIELDS}
    return fields | {"authorization": authorization(transaction), "transaction_date": body["created_at"]}


def disputed_body(transaction: Transaction) -> dict[str, Any]:
    """Return the transaction inside a dispute."""
    return _common(transaction, "") | {"plan": {}}


def webhook_data(transaction: Transaction) -> dict[str, Any]:
    """Return `data` of charge.success in the usual shape of a card payment. webhook_bodies.py changes it for other channels and shapes."""
    data = _common(transaction, "") | {"log": None, "plan": {}, "source": source_body(transaction)}
    del data["receipt_number"], data["createdAt"], data["connect"]
    if transaction.channel == Channel.CARD:
        data["authorization"] |= {"receiver_bank_account_number": None, "receiver_bank": None}
    return data
