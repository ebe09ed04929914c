"""Bodies of a refund. Each call of Paystack's API and the webhooks show different fields."""

from typing import Any

from sandbox.enums import Channel, RefundStatus
from sandbox.merchant import INTEGRATION_ID, MERCHANT_EMAIL
from sandbox.refunds.models import Refund
from sandbox.responses import compact_json
from sandbox.timestamps import iso_timestamp
from sandbox.transactions.cards import customer, derive_code
from sandbox.transactions.models import Transaction

PROCESSOR = "instant-transfer"
EXPECTED_AFTER = 10 * 24 * 3_600_000
"""Milliseconds after which the payer is expected to have the money."""


def created_body(refund: Refund, transaction: Transaction) -> dict[str, Any]:
    paid_at = iso_timestamp(transaction.paid_at)
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
        "integration": INTEGRATION_ID,
        "deducted_amount": 0,
        "channel": None,
        "merchant_note": refund.merchant_note,
        "customer_note": refund.customer_note,
        "status": refund.status,
        "refunded_by": MERCHANT_EMAIL,
        "expected_at": iso_timestamp(refund.created_at + EXPECTED_AFTER),
        "currency": refund.currency,
        "domain": refund.domain,
        "amount": refund.amount,
        "fully_deducted": False,
        "id": refund.id,
        "createdAt": iso_timestamp(refund.created_at),
        "updatedAt": iso_timestamp(refund.updated_at),
    }


def _common(refund: Refund) -> dict[str, Any]:
    return {
        "integration": INTEGRATION_ID,
        "transaction": refund.transaction_id,
        "dispute": refund.dispute,
        "settlement": refund.settlement,
        "id": refund.id,
        "domain": refund.domain,
        "currency": refund.currency,
        "amount": refund.amount,
        "status": refund.status,
        "refunded_at": iso_timestamp(refund.refunded_at),
        "expected_at": iso_timestamp(refund.created_at + EXPECTED_AFTER),
        "channel": None,
        "refunded_by": MERCHANT_EMAIL,
        "customer_note": refund.customer_note,
        "merchant_note": refund.merchant_note,
        "bank_reference": None,
        "reason": refund.status.upper(),
        "initiated_by": MERCHANT_EMAIL,
        "session_id": None,
    }


def _details(refund: Refund, transaction: Transaction | None) -> dict[str, Any]:
    """Return the fields about the transaction, which is None if it was deleted."""
    amount = transaction.amount if transaction else refund.amount
    channel = transaction.channel if transaction else Channel.CARD
    return {
        "channel": channel,
        "transaction_reference": refund.reference,
        "customer": customer(refund.email),
        "refund_type": "full" if refund.amount == amount else "partial",
        "transaction_amount": amount,
        "refund_channel": channel,
        "collect_account_number": refund.status == RefundStatus.NEEDS_ATTENTION,
    }


def _deducted(refund: Refund) -> int:
    """Return the subunits deducted from the merchant's balance so far."""
    return 0 if refund.status in (RefundStatus.PENDING, RefundStatus.FAILED) else refund.amount


def fetched_body(refund: Refund, transaction: Transaction | None) -> dict[str, Any]:
    deducted = _deducted(refund)
    return (
        _common(refund)
        | _details(refund, transaction)
        | {
            "deducted_amount": deducted,
            "fully_deducted": bool(deducted),
            "createdAt": iso_timestamp(refund.created_at),
            "updatedAt": iso_timestamp(refund.updated_at),
        }
    )


def listed_body(refund: Refund, transaction: Transaction | None) -> dict[str, Any]:
    deducted = _deducted(refund)
    return (
        _common(refund)
        | _details(refund, transaction)
        | {
            "deducted_amount": deducted or None,
            "fully_deducted": 1 if deducted else None,
            "created_at": iso_timestamp(refund.created_at),
            "updated_at": iso_timestamp(refund.updated_at),
        }
    )


def retried_body(refund: Refund) -> dict[str, Any]:
    return _common(refund) | {
        "channel": "bank_transfer",
        "deducted_amount": refund.amount,
        "fully_deducted": True,
        "customer": None,
        "reversed_at": None,
    }


def _reference(refund: Refund) -> str | None:
    """Return refund_reference, derived from the transaction and the amount. So, as at Paystack, equal refunds have equal webhooks."""
    code = derive_code("refund", str(refund.transaction_id), str(refund.amount), length=16)
    references: dict[RefundStatus, str] = {
        RefundStatus.PROCESSED: str(int(code, 36) % 10**12).zfill(12),
        RefundStatus.FAILED: f"TRF_{code}",
        RefundStatus.NEEDS_ATTENTION: f"TRF_{code}",
    }
    return references.get(refund.status)


def webhook_body(refund: Refund) -> bytes:
    """Return the webhook body of refund.<status>. Only the body of refund.needs-attention contains the id of the refund."""
    payer = customer(refund.email)
    amount_is_number = refund.status in (RefundStatus.FAILED, RefundStatus.NEEDS_ATTENTION)
    data: dict[str, Any] = {
        "status": refund.status,
        "transaction_reference": refund.reference,
        "refund_reference": _reference(refund),
        "amount": refund.amount if amount_is_number else str(refund.amount),
        "currency": refund.currency,
        "processor": PROCESSOR,
        "customer": {name: payer[name] for name in ("first_name", "last_name", "email")},
        "integration": INTEGRATION_ID,
        "domain": refund.domain,
    }
    if refund.status == RefundStatus.NEEDS_ATTENTION:
        del data["processor"]
        data |= {
            "id": str(refund.id),
            "customer_note": refund.customer_note,
            "merchant_note": refund.merchant_note,
        }
    return compact_json({"event": f"refund.{refund.status}", "data": data})
