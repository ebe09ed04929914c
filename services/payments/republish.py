"""What payments has told the shop, told once more. The ledger knows what happened when: every payment with a movement in that time.

A declined and a held payment are left out: those events change nothing, and they are answered by asking.
"""

from collections.abc import AsyncGenerator, Collection, Iterator
from datetime import datetime

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.events import Event
from kit.messaging import outbox
from services.payments import events as announcements
from services.payments.db import sessions
from services.payments.ledger.models import LedgerEntry, LedgerTransaction, MovementKind
from services.payments.models import Dispute, OutboxRow, Payment, PaymentStatus

BATCH = 500
PUBLISHED_KINDS = frozenset(MovementKind) - {MovementKind.FEE, MovementKind.SETTLED}
"""The movements that an event went out with."""

SUCCEEDED = frozenset(
    {PaymentStatus.SUCCEEDED, PaymentStatus.PARTIALLY_REFUNDED, PaymentStatus.REFUNDED, PaymentStatus.DISPUTED}
)


async def republish(since: datetime, until: datetime) -> AsyncGenerator[int, None]:
    """Tell again how the payments stand with which something happened in that time; yields the number of events of each batch."""
    moment, number = since, 0
    while True:
        async with sessions.begin() as session:
            at = tuple_(LedgerEntry.recorded_at, LedgerEntry.transaction_id)
            page = await session.execute(
                select(LedgerEntry.recorded_at, LedgerEntry.transaction_id, LedgerTransaction.payment_id)
                .join(LedgerTransaction, LedgerTransaction.id == LedgerEntry.transaction_id)
                .where(LedgerEntry.line == 1, LedgerTransaction.kind.in_(PUBLISHED_KINDS))
                .where(at > (moment, number), LedgerEntry.recorded_at < until)
                .order_by(LedgerEntry.recorded_at, LedgerEntry.transaction_id)
                .limit(BATCH)
            )
            rows = page.all()
            events = await _events(session, {row.payment_id for row in rows})
            await outbox.add(session, OutboxRow, *events)
        if events:
            yield len(events)
        if len(rows) < BATCH:
            return
        moment, number = rows[-1].recorded_at, rows[-1].transaction_id


async def _events(session: AsyncSession, ids: Collection[int]) -> list[Event]:
    known = select(Payment).where(Payment.id.in_(ids), Payment.order_id.is_not(None)).order_by(Payment.id)
    payments = (await session.execute(known)).scalars().all()
    disputes: dict[int | None, list[Dispute]] = {}
    about = select(Dispute).where(Dispute.payment_id.in_(ids)).order_by(Dispute.id)
    for dispute in (await session.execute(about)).scalars():
        disputes.setdefault(dispute.payment_id, []).append(dispute)
    return [event for payment in payments for event in _standing(payment, disputes.get(payment.id, []))]


def _standing(payment: Payment, disputes: list[Dispute]) -> Iterator[Event]:
    # Held money that was given back was never the order's: its reason stays.
    if payment.status in SUCCEEDED and payment.held_reason is None:
        yield announcements.succeeded(
            payment, paid_amount=payment.received, channel=payment.channel, paid_at=payment.paid_at
        )
    if payment.refunded_amount > 0:
        yield announcements.refunded(payment, payment.refunded_amount)
    for dispute in disputes:
        yield announcements.disputed(payment, dispute)
        if dispute.lost is not None:
            yield announcements.dispute_resolved(payment, dispute)
