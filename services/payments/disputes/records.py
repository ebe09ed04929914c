"""Record disputes as Paystack reports them, and schedule their polls.

The first webhook event of a dispute creates its record, so that its deadline is known even while Paystack does not answer; the poller's
search creates the record if that event was lost. Later events only schedule a poll (poller.py), because the state of a recorded dispute is
taken from Paystack's answers (GET /dispute/:id and PUT /dispute/:id/resolve). A resolved dispute stays resolved.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.reasons import HeldReason
from kit.db.after_commit import after_commit
from kit.log_throttling import HOUR, log_throttled
from services.payments import outcomes
from services.payments.disputes.effects import apply_to_payment, publish_opened, publish_resolution
from services.payments.models import Dispute, DisputeStatus, Payment
from services.payments.paystack.disputes import PaystackDispute
from services.payments.settings import settings
from services.payments.unrelated_charges.record import find_unrelated

RESPONSE_TIME = timedelta(hours=16)
"""The time to respond, if Paystack reports no deadline (Paystack's documentation, "Manage Disputes")."""

log = structlog.get_logger("disputes")


async def record(session: AsyncSession, reported: Sequence[PaystackDispute]) -> list[str]:
    """Record new disputes, and schedule polls of those that are recorded already. Return the outcome of each, in the same order."""
    if not reported:
        return []
    references = {dispute.reference for dispute in reported if dispute.reference}
    # The payments are locked in the order of their ids, as in settlement.
    found = await session.execute(
        select(Payment).where(Payment.reference.in_(references)).order_by(Payment.id).with_for_update()
    )
    payments = {payment.reference: payment for payment in found.scalars()}
    unrelated = await find_unrelated(session, references - payments.keys())
    outcome_of: dict[int, str] = {}
    # Disputes are inserted and locked in the order of their ids too.
    for position, dispute in sorted(enumerate(reported), key=lambda each: each[1].id):
        if dispute.reference in unrelated:
            outcome_of[position] = outcomes.UNRELATED_REFERENCE
        else:
            outcome_of[position] = await _record(session, payments.get(dispute.reference or ""), dispute)
    return [outcome_of[position] for position in range(len(reported))]


async def _record(session: AsyncSession, payment: Payment | None, reported: PaystackDispute) -> str:
    if reported.domain not in {None, settings.mode}:
        after_commit(
            session,
            log_throttled,
            log.error,
            "dispute ignored: it belongs to the other mode",
            about=reported.id,
            every=HOUR,
            dispute=reported.id,
            domain=reported.domain,
        )
        return outcomes.ignored(HeldReason.MODE_DIFFERS)
    dispute = await _insert(session, payment, reported)
    if dispute is None:
        await schedule_poll(session, reported.id)
        return outcomes.POLL_SCHEDULED
    if dispute.lost is None:
        await publish_opened(session, payment, dispute)
    else:
        await publish_resolution(session, payment, dispute)
    if payment is None:
        message = "dispute recorded without a payment"
        after_commit(session, log.error, message, dispute=reported.id, reference=reported.reference)
        return outcomes.without_payment(dispute.status)
    await apply_to_payment(session, payment, dispute, reported)
    return dispute.status


async def _insert(session: AsyncSession, payment: Payment | None, reported: PaystackDispute) -> Dispute | None:
    """Insert a dispute that is due for a poll. Return None if it is recorded already."""
    opened_at = reported.opened_at or datetime.now(UTC)
    row = {
        "id": reported.id,
        "payment_id": payment.id if payment else None,
        "reference": reported.reference,
        "amount": reported.amount or reported.paid_amount,
        "currency": reported.currency,
        "category": reported.category,
        "status": dispute_status(reported),
        "resolution": reported.resolution,
        "lost": reported.lost if reported.resolved else None,
        "opened_at": opened_at,
        "due_at": reported.due_at or opened_at + RESPONSE_TIME,
        "resolved_at": reported.resolved_at,
        "changed_at": reported.changed_at,
        "next_attempt_at": func.now(),
    }
    new = insert(Dispute).values(row).on_conflict_do_nothing().returning(Dispute)
    return (await session.execute(new)).scalar_one_or_none()


async def apply(session: AsyncSession, reported: PaystackDispute) -> Dispute:
    """Apply the state that Paystack reports to a recorded dispute and to its payment."""
    query = select(Dispute.payment_id, Dispute.reference).where(Dispute.id == reported.id)
    known = (await session.execute(query)).one()
    of_dispute = Payment.id == known.payment_id if known.payment_id else Payment.reference == (known.reference or "")
    # Lock the payment before the dispute, as all other code does.
    payment = (await session.execute(select(Payment).where(of_dispute).with_for_update())).scalar_one_or_none()
    locked = select(Dispute).where(Dispute.id == reported.id).with_for_update()
    dispute = (await session.execute(locked)).scalar_one()
    if payment is not None:
        dispute.payment_id = payment.id
    if dispute.lost is None and not _is_stale(dispute, reported):
        await _update(session, payment, dispute, reported)
    if payment is not None:
        await apply_to_payment(session, payment, dispute, reported)
    await session.flush()
    return dispute


async def schedule_poll(session: AsyncSession, dispute_id: int) -> None:
    """Make a dispute due for a poll now."""
    due = update(Dispute).where(Dispute.id == dispute_id).values(next_attempt_at=func.now(), attempts=0)
    await session.execute(due)


async def schedule_polls_by_reference(session: AsyncSession, references: Sequence[str]) -> None:
    """Make disputes without a payment due for a poll, because a successful charge has their reference. Resolved disputes are polled too."""
    if references:
        without_payment = select(Dispute.id).where(Dispute.reference.in_(references), Dispute.payment_id.is_(None))
        locked = without_payment.order_by(Dispute.id).with_for_update().cte("locked")
        disputes = update(Dispute).where(Dispute.id.in_(select(locked.c.id)))
        await session.execute(disputes.values(next_attempt_at=func.now(), attempts=0))


def dispute_status(reported: PaystackDispute) -> DisputeStatus:
    """Return our status for Paystack's status. An unknown status becomes pending, because it does not show that the dispute has ended."""
    try:
        return DisputeStatus(reported.status)
    except ValueError:
        return DisputeStatus.PENDING


def _is_stale(dispute: Dispute, reported: PaystackDispute) -> bool:
    """Return True if a newer state is already recorded: Paystack's reports can arrive out of order. A resolution is never stale."""
    if reported.resolved or reported.changed_at is None or dispute.changed_at is None:
        return False
    return reported.changed_at < dispute.changed_at


async def _update(session: AsyncSession, payment: Payment | None, dispute: Dispute, reported: PaystackDispute) -> None:
    dispute.status, dispute.resolution = dispute_status(reported), reported.resolution or dispute.resolution
    dispute.amount = reported.amount or dispute.amount
    dispute.currency = reported.currency or dispute.currency
    dispute.category = reported.category or dispute.category
    dispute.due_at = reported.due_at or dispute.due_at
    dispute.changed_at = reported.changed_at or dispute.changed_at
    if reported.resolved:
        dispute.lost = reported.lost
        dispute.resolved_at = reported.resolved_at or datetime.now(UTC)
        await publish_resolution(session, payment, dispute)
