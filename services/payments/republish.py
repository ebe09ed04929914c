"""Republish the events of a period: those of each payment with a movement in the ledger, of each pending payment that was started in
it, of each dispute that changed in it, and of each rejected transfer that was matched with its payment in it.

Not every dispute has a movement. payment.held is not republished, because catalog changes nothing when it receives it; nor are
payment.failed and payment.abandoned: without them, the order stays reserved until the end of the checkout.
"""

from collections.abc import AsyncGenerator, Collection, Iterator
from datetime import datetime

from sqlalchemy import or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.events import Event
from kit.messaging import outbox
from services.payments import events as payment_events
from services.payments.db import sessions
from services.payments.ledger.models import LedgerEntry, LedgerTransaction, MovementKind
from services.payments.models import Dispute, OutboxRow, Payment
from services.payments.rejected_transfers.matching import event_of
from services.payments.rejected_transfers.models import RejectedTransfer
from services.payments.statuses import PaymentStatus

BATCH = 500
KINDS_WITH_EVENTS = frozenset({MovementKind.RECEIVED, MovementKind.ACCEPTED, MovementKind.BOUND, MovementKind.REFUNDED})
"""The kinds of movements that are recorded together with an event about the payment itself."""


async def republish(since: datetime, until: datetime) -> AsyncGenerator[int, None]:
    """Write to the outbox the events that describe the current state of what changed in [since, until).

    Works in batches, each in its own transaction, and yields the number of events that each batch added: those that
    are still in the outbox are not counted.
    """
    async for added in _republish_started(since, until):
        yield added
    async for added in _republish_payments(since, until):
        yield added
    async for added in _republish_disputes(since, until):
        yield added
    async for added in _republish_transfers(since, until):
        yield added


async def _republish_started(since: datetime, until: datetime) -> AsyncGenerator[int, None]:
    """Republish payment.started of each pending payment that was created in [since, until)."""
    last_id = 0
    while True:
        async with sessions.begin() as session:
            batch = await session.execute(
                select(Payment)
                .where(Payment.id > last_id, Payment.created_at >= since, Payment.created_at < until)
                .where(Payment.status == PaymentStatus.PENDING, Payment.order_id.is_not(None))
                .where(or_(Payment.card_id.is_not(None), Payment.authorization_url.is_not(None)))
                .order_by(Payment.id)
                .limit(BATCH)
            )
            payments = batch.scalars().all()
            events = [payment_events.started(payment, payment.payable_until) for payment in payments]
            added = await outbox.add(session, OutboxRow, *events)
        if events:
            yield added
        if len(payments) < BATCH:
            return
        last_id = payments[-1].id


async def _republish_payments(since: datetime, until: datetime) -> AsyncGenerator[int, None]:
    """Republish payment.succeeded and payment.refunded of each payment with a movement recorded in [since, until)."""
    last_recorded_at, last_id = since, 0
    while True:
        async with sessions.begin() as session:
            sort_key = tuple_(LedgerEntry.recorded_at, LedgerEntry.transaction_id)
            batch = await session.execute(
                select(LedgerEntry.recorded_at, LedgerEntry.transaction_id, LedgerTransaction.payment_id)
                .join(LedgerTransaction, LedgerTransaction.id == LedgerEntry.transaction_id)
                .where(LedgerEntry.line == 1, LedgerTransaction.kind.in_(KINDS_WITH_EVENTS))
                .where(sort_key > (last_recorded_at, last_id), LedgerEntry.recorded_at < until)
                .order_by(LedgerEntry.recorded_at, LedgerEntry.transaction_id)
                .limit(BATCH)
            )
            rows = batch.all()
            events = await _events_of(session, {row.payment_id for row in rows})
            added = await outbox.add(session, OutboxRow, *events)
        if events:
            yield added
        if len(rows) < BATCH:
            return
        last_recorded_at, last_id = rows[-1].recorded_at, rows[-1].transaction_id


async def _republish_disputes(since: datetime, until: datetime) -> AsyncGenerator[int, None]:
    """Republish payment.disputed and payment.dispute_resolved of each dispute that may have been opened or resolved in [since, until).

    A row has only the time of its last change, so a dispute that has changed again since the period is republished too.
    """
    last_id = 0
    while True:
        async with sessions.begin() as session:
            batch = await session.execute(
                select(Dispute, Payment)
                .join(Payment, Payment.id == Dispute.payment_id)
                .where(Dispute.id > last_id, Dispute.created_at < until, Dispute.updated_at >= since)
                .where(Payment.order_id.is_not(None))
                .order_by(Dispute.id)
                .limit(BATCH)
            )
            rows = batch.all()
            events = [event for dispute, payment in rows for event in _dispute_events(payment, dispute)]
            added = await outbox.add(session, OutboxRow, *events)
        if events:
            yield added
        if len(rows) < BATCH:
            return
        last_id = rows[-1].Dispute.id


async def _republish_transfers(since: datetime, until: datetime) -> AsyncGenerator[int, None]:
    """Republish payment.transfer_rejected of each rejected transfer that was matched with its payment in [since, until)."""
    last_matched_at, last_id = since, 0
    while True:
        async with sessions.begin() as session:
            sort_key = tuple_(RejectedTransfer.matched_at, RejectedTransfer.id)
            batch = await session.execute(
                select(RejectedTransfer, Payment)
                .join(Payment, Payment.id == RejectedTransfer.payment_id)
                .where(sort_key > (last_matched_at, last_id), RejectedTransfer.matched_at < until)
                .where(Payment.order_id.is_not(None))
                .order_by(RejectedTransfer.matched_at, RejectedTransfer.id)
                .limit(BATCH)
            )
            rows = batch.all()
            events = [event_of(payment, transfer) for transfer, payment in rows]
            added = await outbox.add(session, OutboxRow, *events)
        if events:
            yield added
        if len(rows) < BATCH:
            return
        last_id, last_matched_at = rows[-1].RejectedTransfer.id, rows[-1].RejectedTransfer.matched_at


async def _events_of(session: AsyncSession, payment_ids: Collection[int]) -> list[Event]:
    with_order = select(Payment).where(Payment.id.in_(payment_ids), Payment.order_id.is_not(None)).order_by(Payment.id)
    payments = (await session.execute(with_order)).scalars().all()
    return [event for payment in payments for event in _payment_events(payment)]


def _payment_events(payment: Payment) -> Iterator[Event]:
    """Yield the events that describe the current state of a payment, without its disputes."""
    if payment.has_succeeded:
        yield payment_events.succeeded(
            payment, paid_amount=payment.received, channel=payment.channel, paid_at=payment.paid_at
        )
    if payment.refunded_amount > 0:
        yield payment_events.refunded(payment, payment.refunded_amount)


def _dispute_events(payment: Payment, dispute: Dispute) -> Iterator[Event]:
    """Yield the events that describe the current state of a dispute."""
    yield payment_events.disputed(payment, dispute)
    if dispute.lost is not None:
        yield payment_events.dispute_resolved(payment, dispute)
