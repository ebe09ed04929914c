"""What payments tells the shop about a payment, as the events of contracts/events.py.

What can be told again later (republishing.py) has an id that follows from what it tells.
"""

from datetime import datetime
from typing import Any

from contracts.events import (
    Event,
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
    PublishedHeldReason,
    event_id_for,
)
from services.payments.paystack.charge import Charge


def succeeded(payment: Any, *, paid_amount: int, channel: str | None, paid_at: datetime | None) -> Event:
    """`payment`: a Payment, or a row with its reference, order_id, amount, currency and traceparent; so for all of these."""
    data = PaymentSucceededData(**_facts(payment), paid_amount=paid_amount, channel=channel, paid_at=paid_at)
    return PaymentSucceeded(id=event_id_for("payment.succeeded", payment.reference), **_envelope(payment), data=data)


def failed(payment: Any, charge: Charge) -> Event:
    data = PaymentFailedData(**_facts(payment), reason=charge.gateway_response or "")
    return PaymentFailed(**_envelope(payment), data=data)


def held(payment: Any, charge: Charge, reason: PublishedHeldReason) -> Event:
    data = PaymentHeldData(
        **_facts(payment), reason=reason, paid_amount=charge.amount, paid_currency=charge.currency[:10]
    )
    return PaymentHeld(**_envelope(payment), data=data)


def refunded(payment: Any, total: int) -> Event:
    """`total`: subunits of all refunds of this payment so far."""
    whole = total >= (payment.paid_amount or 0)
    data = PaymentRefundedData(**_facts(payment), refunded_amount=total, fully_refunded=whole)
    return PaymentRefunded(
        id=event_id_for("payment.refunded", payment.reference, total), **_envelope(payment), data=data
    )


def disputed(payment: Any, dispute: Any) -> Event:
    """`dispute`: a Dispute, or a row with its id, amount and due_at."""
    data = PaymentDisputedData(
        **_facts(payment), dispute_id=dispute.id, disputed_amount=dispute.amount, due_at=dispute.due_at
    )
    return PaymentDisputed(id=event_id_for("payment.disputed", dispute.id), **_envelope(payment), data=data)


def dispute_resolved(payment: Any, dispute: Any) -> Event:
    """`dispute`: a Dispute, or a row with its id, resolution and lost."""
    data = PaymentDisputeResolvedData(
        **_facts(payment), dispute_id=dispute.id, resolution=dispute.resolution, lost=bool(dispute.lost)
    )
    told = event_id_for("payment.dispute_resolved", dispute.id)
    return PaymentDisputeResolved(id=told, **_envelope(payment), data=data)


def _facts(payment: Any) -> dict[str, Any]:
    return {
        "reference": payment.reference,
        "order_id": payment.order_id,
        "amount": payment.amount,
        "currency": payment.currency,
    }


def _envelope(payment: Any) -> dict[str, Any]:
    return {"subject": str(payment.order_id), "traceparent": payment.traceparent}
