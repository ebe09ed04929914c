"""What payments tells the shop about a payment, as the events of contracts/events.py.

What can be told again later (republishing.py) has an id that follows from what it tells.
"""

from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from contracts.events import (
    Event,
    HeldReason,
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
    PaymentSucceeded,
    PaymentSucceededData,
    event_id_for,
)
from services.payments.models import Dispute, Payment
from services.payments.paystack.charge import Charge


class PublishedPayment(Protocol):
    """What every event says of its payment: a Payment, or a row with these columns."""

    @property
    def reference(self) -> str: ...
    @property
    def order_id(self) -> UUID | None: ...
    @property
    def amount(self) -> int: ...
    @property
    def currency(self) -> str: ...
    @property
    def traceparent(self) -> str | None: ...


def succeeded(payment: PublishedPayment, *, paid_amount: int, channel: str | None, paid_at: datetime | None) -> Event:
    data = PaymentSucceededData(**_facts(payment), paid_amount=paid_amount, channel=channel, paid_at=paid_at)
    return PaymentSucceeded(id=event_id_for("payment.succeeded", payment.reference), **_envelope(payment), data=data)


def failed(payment: PublishedPayment, charge: Charge) -> Event:
    data = PaymentFailedData(**_facts(payment), reason=charge.gateway_response or "")
    return PaymentFailed(**_envelope(payment), data=data)


def held(payment: PublishedPayment, charge: Charge, reason: HeldReason) -> Event:
    """`reason`: one of those that `check_amount` returns; the event has no others."""
    paid = {"reason": reason.value, "paid_amount": charge.amount, "paid_currency": charge.currency[:10]}
    data = PaymentHeldData.model_validate({**_facts(payment), **paid})
    return PaymentHeld(**_envelope(payment), data=data)


def refunded(payment: Payment, total: int) -> Event:
    """`total`: subunits of all refunds of this payment so far."""
    whole = total >= payment.received
    data = PaymentRefundedData(**_facts(payment), refunded_amount=total, fully_refunded=whole)
    return PaymentRefunded(
        id=event_id_for("payment.refunded", payment.reference, total), **_envelope(payment), data=data
    )


def disputed(payment: PublishedPayment, dispute: Dispute) -> Event:
    data = PaymentDisputedData(
        **_facts(payment), dispute_id=dispute.id, disputed_amount=dispute.amount, due_at=dispute.due_at
    )
    return PaymentDisputed(id=event_id_for("payment.disputed", dispute.id), **_envelope(payment), data=data)


def dispute_resolved(payment: PublishedPayment, dispute: Dispute) -> Event:
    data = PaymentDisputeResolvedData(
        **_facts(payment), dispute_id=dispute.id, resolution=dispute.resolution, lost=bool(dispute.lost)
    )
    told = event_id_for("payment.dispute_resolved", dispute.id)
    return PaymentDisputeResolved(id=told, **_envelope(payment), data=data)


def _facts(payment: PublishedPayment) -> dict[str, Any]:
    return {
        "reference": payment.reference,
        "order_id": payment.order_id,
        "amount": payment.amount,
        "currency": payment.currency,
    }


def _envelope(payment: PublishedPayment) -> dict[str, Any]:
    return {"subject": str(payment.order_id), "traceparent": payment.traceparent}
