"""Bodies of a dispute. Each call of Paystack's API and the webhooks show different fields."""

from typing import Any

from sandbox.disputes.models import Dispute
from sandbox.enums import Channel, DisputeEvent
from sandbox.merchant import INTEGRATION_ID, MERCHANT_EMAIL
from sandbox.responses import compact_json
from sandbox.timestamps import iso_timestamp
from sandbox.transactions.bodies import disputed_body, source_body
from sandbox.transactions.cards import customer
from sandbox.transactions.models import Transaction

NO_RECEIVER = {"receiver_bank_account_number": None, "receiver_bank": None}
NO_PHONE = {"international_format_phone": None}


def _common(dispute: Dispute, transaction: Transaction) -> dict[str, Any]:
    return {
        "id": dispute.id,
        "refund_amount": dispute.refund_amount,
        "currency": dispute.currency,
        "status": dispute.status,
        "resolution": dispute.resolution,
        "domain": dispute.domain,
        "transaction_reference": None,
        "category": dispute.category,
        "bin": transaction.card[:6] if transaction.channel == Channel.CARD else None,
        "last4": transaction.card[-4:] if transaction.channel == Channel.CARD else None,
        "dueAt": iso_timestamp(dispute.due_at),
        "resolvedAt": iso_timestamp(dispute.resolved_at),
        "evidence": dispute.evidence_fields.get("id"),
        "attachments": dispute.attachments,
        "note": None,
    }


def _history(dispute: Dispute, transaction: Transaction) -> dict[str, Any]:
    opened_at = iso_timestamp(dispute.created_at)
    history = [{"status": "pending", "by": transaction.email, "createdAt": opened_at}]
    messages = [{"sender": transaction.email, "body": dispute.payer_message, "createdAt": opened_at}]
    if dispute.merchant_message is not None:
        responded_at = iso_timestamp(dispute.resolved_at or dispute.updated_at)
        history.append({"status": dispute.status, "by": MERCHANT_EMAIL, "createdAt": responded_at})
        messages.append({"sender": MERCHANT_EMAIL, "body": dispute.merchant_message, "createdAt": responded_at})
    return {"history": history, "messages": messages}


def _times(dispute: Dispute) -> dict[str, Any]:
    return {"createdAt": iso_timestamp(dispute.created_at), "updatedAt": iso_timestamp(dispute.updated_at)}


def fetched_body(dispute: Dispute, transaction: Transaction) -> dict[str, Any]:
    disputed = disputed_body(transaction) | {
        "authorization": NO_RECEIVER,
        "customer": NO_PHONE,
        "source": source_body(transaction),
    }
    return (
        _common(dispute, transaction)
        | {"transaction": disputed, "customer": customer(transaction.email)}
        | _history(dispute, transaction)
        | _times(dispute)
    )


def listed_body(dispute: Dispute, transaction: Transaction) -> dict[str, Any]:
    body = fetched_body(dispute, transaction)
    body["transaction"] |= {"authorization": {}, "customer": None}
    del body["transaction"]["receipt_number"], body["transaction"]["requested_amount"]
    return body


def transaction_dispute_body(dispute: Dispute, transaction: Transaction) -> dict[str, Any]:
    """Return the body of GET /dispute/transaction/{id}: without the customer, and with ids in the history and the messages."""
    body = fetched_body(dispute, transaction)
    del body["customer"]
    for row_id, each in enumerate((*body["history"], *body["messages"]), dispute.id * 10):
        each |= {"id": row_id, "dispute": dispute.id, "updatedAt": each["createdAt"]}
    for each in body["messages"]:
        each["is_deleted"] = 0
    return body | {
        "merchant_transaction_reference": transaction.reference,
        "integration": INTEGRATION_ID,
        "created_by": None,
    }


def resolved_body(dispute: Dispute, transaction: Transaction) -> dict[str, Any]:
    """Return the body of PUT /dispute/{id}/resolve, in which `transaction` is only the id of the transaction."""
    at = iso_timestamp(dispute.updated_at)
    return (
        _common(dispute, transaction)
        | _times(dispute)
        | {
            "merchant_transaction_reference": transaction.reference,
            "integration": INTEGRATION_ID,
            "transaction": transaction.id,
            "created_by": None,
            "message": {
                "dispute": dispute.id,
                "sender": MERCHANT_EMAIL,
                "body": dispute.merchant_message,
                "id": dispute.id * 10,
                "createdAt": at,
                "updatedAt": at,
            },
        }
    )


def evidence_body(dispute: Dispute) -> dict[str, Any]:
    return dispute.evidence_fields | {"dispute": dispute.id}


def webhook_body(event: DisputeEvent, dispute: Dispute, transaction: Transaction) -> bytes:
    """Return the webhook body of charge.dispute.<event>. It has created_at where responses have createdAt."""
    disputed = disputed_body(transaction) | {"authorization": {}, "customer": NO_PHONE}
    for name in ("receipt_number", "createdAt", "source", "fees_breakdown", "connect"):
        del disputed[name]
    data = (
        _common(dispute, transaction)
        | {"transaction": disputed, "customer": customer(transaction.email)}
        | _history(dispute, transaction)
        | {"created_at": iso_timestamp(dispute.created_at), "updated_at": iso_timestamp(dispute.updated_at)}
    )
    return compact_json({"event": f"charge.dispute.{event}", "data": data})
