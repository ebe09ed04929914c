"""Republish the events of a period: those of every payment with a movement in the ledger in that period.

payment.failed and payment.held are not republished, because catalog changes nothing when it receives them.
"""

from collections.abc import AsyncGenerator, Collection, Iterator
from datetime import datetime

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.events import Event
from kit.messaging import outbox
from services.payments import events as payment_events
from services.payments.db import sessions
from services.payments.ledger.models import LedgerEntry, LedgerTransaction, MovementKind
from services.payments.models import SUCCEEDED, Dispute, OutboxRow, Payment

BATCH = 500
KINDS_WITH_EVENTS = frozenset(MovementKind) - {MovementKind.FEE, MovementKind.SETTLED}
"""The kinds of movements that are recorded together with an event."""


async def republish(since: datetime, until: datetime) -> AsyncGenerator[int, None]:
    """Write to the outbox the events that describe the current state of each payment with a movement recorded in [since, until).

    Works in batches, each in its own transaction, and yields the number of events that each batch added: those that
    are still in the outbox are not counted.
    """
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


async def _events_of(session: AsyncSession, payment_ids: Collection[int]) -> list[Event]:
    with_order = select(Payment).where(Payment.id.in_(payment_ids), Payment.order_id.is_not(None)).order_by(Payment.id)
    payments = (await session.execute(with_order)).scalars().all()
    disputes: dict[int | None, list[Dispute]] = {}
    of_payments = select(Dispute).where(Dispute.payment_id.in_(payment_ids)).order_by(Dispute.id)
    for dispute in (await session.execute(of_payments)).scalars():
        disputes.setdefault(dispute.payment_id, []).append(dispute)
    return [event for payment in payments for event in _current_events(payment, disputes.get(payment.id, []))]


def _current_events(payment: Payment, disputes: list[Dispute]) -> Iterator[Event]:
    """Yield the events that describe the current state of a payment."""
    # A payment that was refunded while it was held still has a held_reason: payment.succeeded was never published for it.
    if payment.status in SUCCEEDED and payment.held_reason is None:
        yield payment_events.succeeded(
            payment, paid_amount=payment.received, channel=payment.channel, paid_at=payment.paid_at
        )
    if payment.refunded_amount > 0:
        yield payment_events.refunded(payment, payment.refunded_amount)
    for dispute in disputes:
        yield payment_events.disputed(payment, dispute)
        if dispute.lost is not None:
            yield payment_events.dispute_resolved(payment, dispute)
