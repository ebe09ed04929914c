"""Apply a dispute to its payment: set the status, write the ledger, record the chargeback. Publish the events about the dispute.

    succeeded, partially_refunded ── opened ──► disputed    event payment.disputed: an operator responds
    disputed ── won ──► status without the dispute          event payment.dispute_resolved
    disputed ── lost ──► status without the dispute         event payment.dispute_resolved with `lost`; a chargeback is recorded

The status without the dispute is succeeded, partially_refunded or refunded, depending on the refunded amount. While another dispute of the
payment is open, the payment stays disputed. `PaystackDispute.lost` says whether a dispute is lost.
"""

from datetime import UTC, datetime

import structlog
from prometheus_client import Counter
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from kit.db.after_commit import after_commit
from kit.messaging import outbox
from kit.observability.tracing import continue_trace
from services.payments import events
from services.payments.ledger import withheld_money
from services.payments.models import UNPAID, Dispute, OutboxRow, Payment
from services.payments.paystack.disputes import PaystackDispute
from services.payments.refunds.chargebacks import record_chargeback
from services.payments.statuses import PaymentStatus

disputes_total = Counter("disputes_total", "Disputes that were opened, won or lost", ["result"])
log = structlog.get_logger("disputes")


async def publish_opened(session: AsyncSession, payment: Payment | None, dispute: Dispute) -> None:
    """Log and count an opened dispute; publish payment.disputed if its payment is for an order."""
    after_commit(session, disputes_total.labels("opened").inc)
    with continue_trace(payment.traceparent if payment else None):
        due_at = dispute.due_at.isoformat()
        after_commit(session, log.error, "dispute opened", **_fields(payment, dispute), due_at=due_at)
    if payment is not None and payment.order_id is not None:
        await outbox.add(session, OutboxRow, events.disputed(payment, dispute))


async def publish_resolution(session: AsyncSession, payment: Payment | None, dispute: Dispute) -> None:
    """Log and count a resolved dispute; publish payment.dispute_resolved if its payment is for an order."""
    after_commit(session, disputes_total.labels("lost" if dispute.lost else "won").inc)
    with continue_trace(payment.traceparent if payment else None):
        fields = {**_fields(payment, dispute), "resolution": dispute.resolution, "lost": dispute.lost}
        after_commit(session, log.warning, "dispute resolved", **fields)
    if payment is not None and payment.order_id is not None:
        await outbox.add(session, OutboxRow, events.dispute_resolved(payment, dispute))


async def apply_to_payment(
    session: AsyncSession, payment: Payment, dispute: Dispute, reported: PaystackDispute
) -> None:
    """Set the payment's status, and record the withheld money or the chargeback. Idempotent. The dispute may be resolved already."""
    if payment.status in UNPAID:
        # Only a paid payment can be disputed: the sweeper verifies it now.
        payment.status, payment.verify_next_attempt_at = PaymentStatus.PENDING, datetime.now(UTC)
    elif dispute.lost is None:
        await withheld_money.record_withheld(session, payment, dispute.id, dispute.amount)
        if payment.status in {PaymentStatus.SUCCEEDED, PaymentStatus.PARTIALLY_REFUNDED}:
            payment.status = PaymentStatus.DISPUTED
    else:
        await withheld_money.record_released(session, payment, dispute.id, lost=dispute.lost)
        if dispute.lost:
            await record_chargeback(session, payment, dispute, reported)
        if payment.status == PaymentStatus.DISPUTED and not await _has_open_dispute(session, payment.id):
            payment.status = _status_without_dispute(payment)
    await session.flush()


def _status_without_dispute(payment: Payment) -> PaymentStatus:
    if payment.refunded_amount <= 0:
        return PaymentStatus.SUCCEEDED
    return PaymentStatus.REFUNDED if payment.refundable <= 0 else PaymentStatus.PARTIALLY_REFUNDED


async def _has_open_dispute(session: AsyncSession, payment_id: int) -> bool:
    query = select(Dispute.id).where(Dispute.payment_id == payment_id, Dispute.lost.is_(None)).limit(1)
    return (await session.execute(query)).scalar_one_or_none() is not None


def _fields(payment: Payment | None, dispute: Dispute) -> dict[str, object]:
    order_id = str(payment.order_id) if payment is not None and payment.order_id is not None else None
    return {"dispute": dispute.id, "reference": dispute.reference, "order_id": order_id}
