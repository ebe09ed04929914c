"""Build the payment events that catalog consumes. Pure: needs no server and no environment."""

from datetime import UTC, datetime
from typing import TypedDict
from uuid import UUID

from contracts.events import (
    PaymentAbandoned,
    PaymentAbandonedData,
    PaymentDisputed,
    PaymentDisputedData,
    PaymentDisputeResolved,
    PaymentDisputeResolvedData,
    PaymentFailed,
    PaymentFailedData,
    PaymentHeld,
    PaymentHeldData,
    PaymentRefunded,
    PaymentRefundedData,
    PaymentStarted,
    PaymentStartedData,
    PaymentSucceeded,
    PaymentSucceededData,
    PaymentTransferRejected,
    PaymentTransferRejectedData,
)
from contracts.reasons import HeldReason

PRICE = 50_000
"""The default amount of events and the default price of products."""

DUE_AT = datetime(2026, 11, 25, tzinfo=UTC)


class Facts(TypedDict):
    reference: str
    order_id: UUID
    amount: int
    currency: str


def _facts(order_id: UUID, reference: str, amount: int = PRICE, currency: str = "NGN") -> Facts:
    return {"reference": reference, "order_id": order_id, "amount": amount, "currency": currency}


def payment_started(
    order_id: UUID, reference: str, payable_until: datetime | None = None, amount: int = PRICE
) -> PaymentStarted:
    data = PaymentStartedData(**_facts(order_id, reference, amount), payable_until=payable_until)
    return PaymentStarted(subject=str(order_id), data=data)


def payment_abandoned(order_id: UUID, reference: str) -> PaymentAbandoned:
    return PaymentAbandoned(subject=str(order_id), data=PaymentAbandonedData(**_facts(order_id, reference)))


def payment_succeeded(
    order_id: UUID, reference: str, amount: int = PRICE, currency: str = "NGN", traceparent: str | None = None
) -> PaymentSucceeded:
    data = PaymentSucceededData(**_facts(order_id, reference, amount, currency), paid_amount=amount)
    return PaymentSucceeded(subject=str(order_id), traceparent=traceparent, data=data)


def payment_failed(order_id: UUID, reference: str) -> PaymentFailed:
    data = PaymentFailedData(**_facts(order_id, reference), reason="Declined")
    return PaymentFailed(subject=str(order_id), data=data)


def payment_held(order_id: UUID, reference: str) -> PaymentHeld:
    facts = _facts(order_id, reference)
    data = PaymentHeldData(**facts, reason=HeldReason.AMOUNT_DIFFERS, paid_amount=1, paid_currency="NGN")
    return PaymentHeld(subject=str(order_id), data=data)


def payment_refunded(
    order_id: UUID, reference: str, refunded_amount: int = PRICE, amount: int = PRICE, currency: str = "NGN"
) -> PaymentRefunded:
    data = PaymentRefundedData(**_facts(order_id, reference, amount, currency), refunded_amount=refunded_amount)
    return PaymentRefunded(subject=str(order_id), data=data)


def transfer_rejected(
    order_id: UUID, reference: str, amount: int = PRICE, rejected_amount: int | None = 40_000
) -> PaymentTransferRejected:
    facts = _facts(order_id, reference, amount)
    data = PaymentTransferRejectedData(**facts, rejected_amount=rejected_amount, reason="INCORRECT_AMOUNT")
    return PaymentTransferRejected(subject=str(order_id), data=data)


def payment_disputed(order_id: UUID, reference: str) -> PaymentDisputed:
    data = PaymentDisputedData(**_facts(order_id, reference), dispute_id=7, due_at=DUE_AT)
    return PaymentDisputed(subject=str(order_id), data=data)


def dispute_resolved(
    order_id: UUID, reference: str, *, lost: bool, amount: int = PRICE, traceparent: str | None = None
) -> PaymentDisputeResolved:
    facts = _facts(order_id, reference, amount)
    data = PaymentDisputeResolvedData(**facts, dispute_id=7, lost=lost, resolution="auto-accepted")
    return PaymentDisputeResolved(subject=str(order_id), traceparent=traceparent, data=data)
