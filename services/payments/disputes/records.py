"""Disputes as they are written down, and what they do to their payment.

    succeeded, partially_refunded ── opened ──► disputed                       event payment.disputed: a person answers
    disputed ── declined ──► as it was                                         event payment.dispute_resolved
    disputed ── merchant-accepted, auto-accepted ──► as it was, and a refund   event payment.dispute_resolved, lost

A dispute that is over stays over. What a notice tells is believed once, so that the clock runs even while Paystack cannot be asked;
after that a notice only makes us look (watch.py).
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import structlog
from prometheus_client import Counter
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.events import HeldReason
from kit.messaging import outbox
from services.payments import events, outcomes
from services.payments.ledger import dispute_holds
from services.payments.models import UNPAID, Dispute, DisputeStatus, OutboxRow, Payment, PaymentStatus
from services.payments.paystack.disputes import PaystackDispute
from services.payments.refunds.chargebacks import record_chargeback
from services.payments.settings import settings

CLOCK = timedelta(hours=16)
"""To answer in, where Paystack does not say until when (its documentation, "Manage Disputes")."""

disputes_total = Counter("disputes_total", "Disputes by what was heard of them", ["news"])
log = structlog.get_logger("disputes")


async def record(session: AsyncSession, told: Sequence[PaystackDispute]) -> list[str]:
    """Write down the disputes that are new, and have the others looked at. What became of each, in the order told."""
    if not told:
        return []
    references = {one.reference for one in told if one.reference}
    # Locked in the order in which settlement locks.
    found = await session.execute(
        select(Payment).where(Payment.reference.in_(references)).order_by(Payment.id).with_for_update()
    )
    payments = {payment.reference: payment for payment in found.scalars()}
    return [await _hear(session, payments.get(one.reference or ""), one) for one in told]


async def _hear(session: AsyncSession, payment: Payment | None, told: PaystackDispute) -> str:
    if told.domain not in {None, settings.domain}:
        log.error("a dispute of another mode", dispute=told.id, domain=told.domain)
        return outcomes.ignored(HeldReason.MODE_DIFFERS)
    opened_at = told.opened_at or datetime.now(UTC)
    row = {
        "id": told.id,
        "payment_id": payment.id if payment else None,
        "reference": told.reference,
        "amount": told.amount or told.paid_amount,
        "currency": told.currency,
        "category": told.category,
        "status": dispute_status(told),
        "resolution": told.resolution,
        "lost": told.lost if told.resolved else None,
        "opened_at": opened_at,
        "due_at": told.due_at or opened_at + CLOCK,
        "resolved_at": told.resolved_at,
        "changed_at": told.changed_at,
        "next_attempt_at": func.now(),
    }
    new = insert(Dispute).values(row).on_conflict_do_nothing().returning(Dispute)
    dispute = (await session.execute(new)).scalar_one_or_none()
    if dispute is None:
        await schedule_poll(session, told.id)
        return outcomes.POLL_SCHEDULED
    if dispute.lost is None:
        disputes_total.labels("opened").inc()
        log.error("payment disputed", dispute=told.id, reference=told.reference, due_at=dispute.due_at.isoformat())
        if payment is not None and payment.order_id is not None:
            await outbox.add(session, OutboxRow, events.disputed(payment, dispute))
    else:
        await _tell_end(session, payment, dispute)
    if payment is None:
        log.error("a dispute about money that is not ours", dispute=told.id, reference=told.reference)
        return outcomes.without_payment(dispute.status)
    await _stand(session, payment, dispute, told)
    return dispute.status


async def apply(session: AsyncSession, told: PaystackDispute) -> Dispute:
    """Write down what Paystack answered about a dispute that we know."""
    known = (await session.execute(select(Dispute.payment_id, Dispute.reference).where(Dispute.id == told.id))).one()
    mine = Payment.id == known.payment_id if known.payment_id else Payment.reference == (known.reference or "")
    # The payment first, then the dispute: everybody locks in this order.
    payment = (await session.execute(select(Payment).where(mine).with_for_update())).scalar_one_or_none()
    found = await session.execute(select(Dispute).where(Dispute.id == told.id).with_for_update())
    dispute = found.scalar_one()
    if payment is not None:
        dispute.payment_id = payment.id
    if dispute.lost is None and not _is_stale(dispute, told):
        await _move(session, payment, dispute, told)
    if payment is not None:
        await _stand(session, payment, dispute, told)
    await session.flush()
    return dispute


async def schedule_poll(session: AsyncSession, dispute_id: int) -> None:
    """Have Paystack asked about it soon."""
    soon = update(Dispute).where(Dispute.id == dispute_id).values(next_attempt_at=func.now(), attempts=0)
    await session.execute(soon)


async def schedule_polls_by_reference(session: AsyncSession, references: Sequence[str]) -> None:
    """Money came of which a dispute may have told before, be it over: have such disputes looked at once more."""
    if references:
        about = update(Dispute).where(Dispute.reference.in_(references), Dispute.payment_id.is_(None))
        soon = about.values(next_attempt_at=func.now(), attempts=0)
        await session.execute(soon)


def dispute_status(told: PaystackDispute) -> DisputeStatus:
    """Return our status for Paystack's. A word that we do not know is a dispute that is not over: pending."""
    try:
        return DisputeStatus(told.status)
    except ValueError:
        return DisputeStatus.PENDING


def _is_stale(dispute: Dispute, told: PaystackDispute) -> bool:
    """Answers may overtake each other; the end is never stale."""
    if told.resolved or told.changed_at is None or dispute.changed_at is None:
        return False
    return told.changed_at < dispute.changed_at


async def _move(session: AsyncSession, payment: Payment | None, dispute: Dispute, told: PaystackDispute) -> None:
    dispute.status, dispute.resolution = dispute_status(told), told.resolution or dispute.resolution
    dispute.amount = told.amount or dispute.amount
    dispute.currency, dispute.category = told.currency or dispute.currency, told.category or dispute.category
    dispute.due_at, dispute.changed_at = told.due_at or dispute.due_at, told.changed_at or dispute.changed_at
    if told.resolved:
        dispute.lost = told.lost
        dispute.resolved_at = told.resolved_at or datetime.now(UTC)
        await _tell_end(session, payment, dispute)


async def _tell_end(session: AsyncSession, payment: Payment | None, dispute: Dispute) -> None:
    disputes_total.labels("lost" if dispute.lost else "won").inc()
    log.warning("dispute over", dispute=dispute.id, reference=dispute.reference, resolution=dispute.resolution)
    if payment is not None and payment.order_id is not None:
        await outbox.add(session, OutboxRow, events.dispute_resolved(payment, dispute))


async def _stand(session: AsyncSession, payment: Payment, dispute: Dispute, told: PaystackDispute) -> None:
    """Bring the payment to where the dispute puts it, however often and however late that is found out."""
    if payment.status in UNPAID:
        # Only what was paid is disputed: ask about the payment at once.
        payment.status, payment.verify_next_attempt_at = PaymentStatus.PENDING, datetime.now(UTC)
    elif dispute.lost is None:
        await dispute_holds.hold(session, payment, dispute.id, dispute.amount)
        if payment.status in {PaymentStatus.SUCCEEDED, PaymentStatus.PARTIALLY_REFUNDED}:
            payment.status = PaymentStatus.DISPUTED
    else:
        await dispute_holds.release(session, payment, dispute.id, lost=dispute.lost)
        if dispute.lost:
            await record_chargeback(session, payment, dispute, told)
        if payment.status == PaymentStatus.DISPUTED and not await _has_open(session, payment.id):
            payment.status = _without_dispute(payment)
    await session.flush()


def _without_dispute(payment: Payment) -> PaymentStatus:
    if payment.refunded_amount <= 0:
        return PaymentStatus.SUCCEEDED
    return PaymentStatus.REFUNDED if payment.refundable <= 0 else PaymentStatus.PARTIALLY_REFUNDED


async def _has_open(session: AsyncSession, payment_id: int) -> bool:
    query = select(Dispute.id).where(Dispute.payment_id == payment_id, Dispute.lost.is_(None)).limit(1)
    return (await session.execute(query)).scalar_one_or_none() is not None
