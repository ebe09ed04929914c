"""Build the events about payments (contracts/events.py) that are published to catalog.

The ids of all events except payment.failed and payment.held are computed, so a repeated event has the same id, and consumers ignore it:
payment.started, payment.succeeded and payment.abandoned from the reference; payment.refunded from the reference and the refunded total;
payment.disputed and payment.dispute_resolved from the id of the dispute; payment.transfer_rejected from the identity of its webhook event.
"""

from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from contracts.events import (
    Event,
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
    event_id_for,
)
from contracts.reasons import HeldReason
from services.payments.models import Dispute, Payment
from services.payments.paystack.charge import Charge


class PublishedPayment(Protocol):
    """The columns of a payment that every event contains: a Payment, or a row with these columns."""

    @property
    def reference(self) -> str: ...
    @property
    def order_id(self) -> UUID | None: ...
    @property
    def amount(self) -> int: ...
    @property
    def currency(self) -> str: ...
    @property
    def client_metadata(self) -> dict[str, str]: ...
    @property
    def traceparent(self) -> str | None: ...


def started(payment: PublishedPayment, payable_until: datetime | None) -> Event:
    """Return payment.started. `payable_until`: the end of the checkout, None if no end is known."""
    data = PaymentStartedData(**_payment_data(payment), payable_until=payable_until)
    return PaymentStarted(id=event_id_for("payment.started", payment.reference), **_envelope(payment), data=data)


def abandoned(payment: PublishedPayment) -> Event:
    """Return payment.abandoned."""
    data = PaymentAbandonedData(**_payment_data(payment))
    return PaymentAbandoned(id=event_id_for("payment.abandoned", payment.reference), **_envelope(payment), data=data)


def succeeded(payment: PublishedPayment, *, paid_amount: int, channel: str | None, paid_at: datetime | None) -> Event:
    """Return payment.succeeded. `paid_amount` is in subunits."""
    data = PaymentSucceededData(**_payment_data(payment), paid_amount=paid_amount, channel=channel, paid_at=paid_at)
    return PaymentSucceeded(id=event_id_for("payment.succeeded", payment.reference), **_envelope(payment), data=data)


def failed(payment: PublishedPayment, charge: Charge) -> Event:
    """Return payment.failed, with a random id."""
    data = PaymentFailedData(**_payment_data(payment), reason=charge.gateway_response or "")
    return PaymentFailed(**_envelope(payment), data=data)


def held(payment: PublishedPayment, charge: Charge, reason: HeldReason) -> Event:
    """Return payment.held, with a random id. `reason` must be one that `find_mismatch` returns."""
    paid = {"reason": reason.value, "paid_amount": charge.amount, "paid_currency": charge.currency[:10]}
    data = PaymentHeldData.model_validate({**_payment_data(payment), **paid})
    return PaymentHeld(**_envelope(payment), data=data)


def refunded(payment: Payment, total: int) -> Event:
    """Return payment.refunded. `total` is the sum of all refunds of the payment so far, in subunits."""
    fully_refunded = total >= payment.received
    data = PaymentRefundedData(
        **_payment_data(payment),
        refunded_amount=total,
        refunded_currency=(payment.paid_currency or payment.currency)[:10],
        fully_refunded=fully_refunded,
        overpaid_amount=_overpaid_amount(payment),
    )
    return PaymentRefunded(
        id=event_id_for("payment.refunded", payment.reference, total), **_envelope(payment), data=data
    )


def disputed(payment: PublishedPayment, dispute: Dispute) -> Event:
    """Return payment.disputed."""
    data = PaymentDisputedData(
        **_payment_data(payment), dispute_id=dispute.id, disputed_amount=dispute.amount, due_at=dispute.due_at
    )
    return PaymentDisputed(id=event_id_for("payment.disputed", dispute.id), **_envelope(payment), data=data)


def dispute_resolved(payment: PublishedPayment, dispute: Dispute) -> Event:
    """Return payment.dispute_resolved for a dispute with status resolved or archived."""
    data = PaymentDisputeResolvedData(
        **_payment_data(payment), dispute_id=dispute.id, resolution=dispute.resolution, lost=bool(dispute.lost)
    )
    event_id = event_id_for("payment.dispute_resolved", dispute.id)
    return PaymentDisputeResolved(id=event_id, **_envelope(payment), data=data)


def transfer_rejected(
    payment: PublishedPayment, *, identity: str, amount: int | None, reason: str | None, message: str | None
) -> Event:
    """Return payment.transfer_rejected. `identity` of the webhook event; `amount` in subunits, None if it is not known."""
    data = PaymentTransferRejectedData(**_payment_data(payment), rejected_amount=amount, reason=reason, message=message)
    event_id = event_id_for("payment.transfer_rejected", identity)
    return PaymentTransferRejected(id=event_id, **_envelope(payment), data=data)


def _overpaid_amount(payment: Payment) -> int:
    """Return how much more than the order's amount was received, in subunits.

    0 if the difference is Paystack's fee, which the payer bore, or if the payer paid in another currency.
    """
    more = payment.received - payment.amount
    if payment.paid_currency != payment.currency or more == (payment.fees or 0):
        return 0
    return max(more, 0)


def _payment_data(payment: PublishedPayment) -> dict[str, Any]:
    return {
        "reference": payment.reference,
        "order_id": payment.order_id,
        "amount": payment.amount,
        "currency": payment.currency,
        "metadata": payment.client_metadata,
    }


def _envelope(payment: PublishedPayment) -> dict[str, Any]:
    return {"subject": str(payment.order_id), "traceparent": payment.traceparent}
