"""A dispute as Paystack writes it: listed, fetched, looked up by transaction, resolved and in the webhooks."""

from typing import Any

from sandbox.disputes.book import Dispute
from sandbox.identity import BY, INTEGRATION
from sandbox.transactions.bodies import enclosed, instant, source
from sandbox.transactions.cards import customer
from sandbox.transactions.ledger import Transaction
from sandbox.wire import compact

NO_RECEIVER = {"receiver_bank_account_number": None, "receiver_bank": None}
NO_PHONE = {"international_format_phone": None}


def _head(dispute: Dispute, transaction: Transaction) -> dict[str, Any]:
    return {
        "id": dispute.id,
        "refund_amount": dispute.refund_amount,
        "currency": dispute.currency,
        "status": dispute.status,
        "resolution": dispute.resolution,
        "domain": dispute.domain,
        "transaction_reference": None,
        "category": dispute.category,
        "bin": transaction.card[:6] if transaction.channel == "card" else None,
        "last4": transaction.card[-4:] if transaction.channel == "card" else None,
        "dueAt": instant(dispute.due_at),
        "resolvedAt": instant(dispute.resolved_at),
        "evidence": dispute.evidence_fields.get("id"),
        "attachments": dispute.attachments,
        "note": None,
    }


def _talk(dispute: Dispute, transaction: Transaction) -> dict[str, Any]:
    opened = instant(dispute.created_at)
    history = [{"status": "pending", "by": transaction.email, "createdAt": opened}]
    messages = [{"sender": transaction.email, "body": dispute.complaint, "createdAt": opened}]
    if dispute.answer is not None:
        answered = instant(dispute.resolved_at or dispute.updated_at)
        history.append({"status": dispute.status, "by": BY, "createdAt": answered})
        messages.append({"sender": BY, "body": dispute.answer, "createdAt": answered})
    return {"history": history, "messages": messages}


def _times(dispute: Dispute) -> dict[str, Any]:
    return {"createdAt": instant(dispute.created_at), "updatedAt": instant(dispute.updated_at)}


def fetched(dispute: Dispute, transaction: Transaction) -> dict[str, Any]:
    inside = enclosed(transaction) | {"authorization": NO_RECEIVER, "customer": NO_PHONE, "source": source(transaction)}
    return (
        _head(dispute, transaction)
        | {"transaction": inside, "customer": customer(transaction.email)}
        | _talk(dispute, transaction)
        | _times(dispute)
    )


def listed(dispute: Dispute, transaction: Transaction) -> dict[str, Any]:
    body = fetched(dispute, transaction)
    body["transaction"] |= {"authorization": {}, "customer": None}
    del body["transaction"]["receipt_number"], body["transaction"]["requested_amount"]
    return body


def of_transaction(dispute: Dispute, transaction: Transaction) -> dict[str, Any]:
    """Without the customer, and what was said has numbers."""
    body = fetched(dispute, transaction)
    del body["customer"]
    for number, each in enumerate((*body["history"], *body["messages"]), dispute.id * 10):
        each |= {"id": number, "dispute": dispute.id, "updatedAt": each["createdAt"]}
    for each in body["messages"]:
        each["is_deleted"] = 0
    return body | {
        "merchant_transaction_reference": transaction.reference,
        "integration": INTEGRATION,
        "created_by": None,
    }


def resolved(dispute: Dispute, transaction: Transaction) -> dict[str, Any]:
    """The transaction is a number here."""
    at = instant(dispute.updated_at)
    return (
        _head(dispute, transaction)
        | _times(dispute)
        | {
            "merchant_transaction_reference": transaction.reference,
            "integration": INTEGRATION,
            "transaction": transaction.id,
            "created_by": None,
            "message": {
                "dispute": dispute.id,
                "sender": BY,
                "body": dispute.answer,
                "id": dispute.id * 10,
                "createdAt": at,
                "updatedAt": at,
            },
        }
    )


def proved(dispute: Dispute) -> dict[str, Any]:
    """The evidence, as it was taken."""
    return dispute.evidence_fields | {"dispute": dispute.id}


def notice(kind: str, dispute: Dispute, transaction: Transaction) -> bytes:
    """The webhook body of charge.dispute.create, .remind and .resolve: created_at here, createdAt elsewhere."""
    inside = enclosed(transaction) | {"authorization": {}, "customer": NO_PHONE}
    for absent in ("receipt_number", "createdAt", "source", "fees_breakdown", "connect"):
        del inside[absent]
    data = (
        _head(dispute, transaction)
        | {"transaction": inside, "customer": customer(transaction.email)}
        | _talk(dispute, transaction)
        | {"created_at": instant(dispute.created_at), "updated_at": instant(dispute.updated_at)}
    )
    return compact({"event": f"charge.dispute.{kind}", "data": data})
