"""A refund as Paystack writes it: when it is made, fetched, listed, retried and in each webhook, no two alike."""

from typing import Any

from sandbox.identity import BY, INTEGRATION
from sandbox.refunds.book import Refund, Status
from sandbox.transactions.bodies import instant
from sandbox.transactions.cards import code_of, customer
from sandbox.transactions.ledger import Transaction
from sandbox.wire import compact

PROCESSOR = "instant-transfer"
DAYS = 10 * 24 * 3_600_000
"""Milliseconds after which Paystack expects the payer to have the money."""


def made(refund: Refund, transaction: Transaction) -> dict[str, Any]:
    paid_at = instant(transaction.paid_at)
    return {
        "transaction": {
            "id": transaction.id,
            "domain": transaction.domain,
            "reference": transaction.reference,
            "amount": transaction.amount,
            "paid_at": paid_at,
            "channel": transaction.channel,
            "currency": transaction.currency,
            "authorization": {"exp_month": None, "exp_year": None, "account_name": None},
            "customer": {"international_format_phone": None},
            "plan": {},
            "subaccount": {"currency": None},
            "split": {},
            "order_id": None,
            "paidAt": paid_at,
            "pos_transaction_data": None,
            "source": None,
            "fees_breakdown": None,
        },
        "integration": INTEGRATION,
        "deducted_amount": 0,
        "channel": None,
        "merchant_note": refund.merchant_note,
        "customer_note": refund.customer_note,
        "status": refund.status,
        "refunded_by": BY,
        "expected_at": instant(refund.created_at + DAYS),
        "currency": refund.currency,
        "domain": refund.domain,
        "amount": refund.amount,
        "fully_deducted": False,
        "id": refund.id,
        "createdAt": instant(refund.created_at),
        "updatedAt": instant(refund.updated_at),
    }


def _common(refund: Refund) -> dict[str, Any]:
    return {
        "integration": INTEGRATION,
        "transaction": refund.transaction_id,
        "dispute": refund.dispute,
        "settlement": refund.settlement,
        "id": refund.id,
        "domain": refund.domain,
        "currency": refund.currency,
        "amount": refund.amount,
        "status": refund.status,
        "refunded_at": instant(refund.refunded_at),
        "expected_at": instant(refund.created_at + DAYS),
        "channel": None,
        "refunded_by": BY,
        "customer_note": refund.customer_note,
        "merchant_note": refund.merchant_note,
        "bank_reference": None,
        "reason": refund.status.upper(),
        "initiated_by": BY,
        "session_id": None,
    }


def _details(refund: Refund, transaction: Transaction | None) -> dict[str, Any]:
    """None: the transaction is forgotten."""
    amount = transaction.amount if transaction else refund.amount
    channel = transaction.channel if transaction else "card"
    return {
        "channel": channel,
        "transaction_reference": refund.reference,
        "customer": customer(refund.email),
        "refund_type": "full" if refund.amount == amount else "partial",
        "transaction_amount": amount,
        "refund_channel": channel,
        "collect_account_number": refund.status == "needs-attention",
    }


def _deducted(refund: Refund) -> int:
    """Subunits taken from the merchant's balance so far."""
    return 0 if refund.status in ("pending", "failed") else refund.amount


def fetched(refund: Refund, transaction: Transaction | None) -> dict[str, Any]:
    deducted = _deducted(refund)
    return (
        _common(refund)
        | _details(refund, transaction)
        | {
            "deducted_amount": deducted,
            "fully_deducted": bool(deducted),
            "createdAt": instant(refund.created_at),
            "updatedAt": instant(refund.updated_at),
        }
    )


def listed(refund: Refund, transaction: Transaction | None) -> dict[str, Any]:
    deducted = _deducted(refund)
    return (
        _common(refund)
        | _details(refund, transaction)
        | {
            "deducted_amount": deducted or None,
            "fully_deducted": 1 if deducted else None,
            "created_at": instant(refund.created_at),
            "updated_at": instant(refund.updated_at),
        }
    )


def retried(refund: Refund) -> dict[str, Any]:
    return _common(refund) | {
        "channel": "bank_transfer",
        "deducted_amount": refund.amount,
        "fully_deducted": True,
        "customer": None,
        "reversed_at": None,
    }


def _reference(refund: Refund) -> str | None:
    """Derived from the transaction and the amount, so that the notices of two equal refunds are the same bytes."""
    code = code_of("refund", str(refund.transaction_id), str(refund.amount), length=16)
    known: dict[Status, str | None] = {
        "processed": str(int(code, 36) % 10**12).zfill(12),
        "failed": f"TRF_{code}",
        "needs-attention": f"TRF_{code}",
    }
    return known.get(refund.status)


def notice(refund: Refund) -> bytes:
    """The webhook body of refund.<status>. It has no id, but when a person is needed."""
    payer = customer(refund.email)
    told = refund.status in ("failed", "needs-attention")
    data: dict[str, Any] = {
        "status": refund.status,
        "transaction_reference": refund.reference,
        "refund_reference": _reference(refund),
        "amount": refund.amount if told else str(refund.amount),
        "currency": refund.currency,
        "processor": PROCESSOR,
        "customer": {each: payer[each] for each in ("first_name", "last_name", "email")},
        "integration": INTEGRATION,
        "domain": refund.domain,
    }
    if refund.status == "needs-attention":
        del data["processor"]
        data |= {
            "id": str(refund.id),
            "customer_note": refund.customer_note,
            "merchant_note": refund.merchant_note,
        }
    return compact({"event": f"refund.{refund.status}", "data": data})
