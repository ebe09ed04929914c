"""Publish and republish `order.undeliverable`, after which the payments service refunds the payment."""

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime

from sqlalchemy import insert, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from contracts.events import OrderUndeliverable, OrderUndeliverableData
from kit.messaging import outbox
from services.catalog.fulfilment.decisions import build_undeliverable_event
from services.catalog.fulfilment.models import UndeliverablePayment
from services.catalog.models import OutboxRow

BATCH = 500


async def publish(session: AsyncSession, events: Sequence[OrderUndeliverable]) -> None:
    """Store the undeliverable payments and add their events to the outbox."""
    if events:
        await session.execute(insert(UndeliverablePayment), [event.data.model_dump() for event in events])
        await outbox.add(session, OutboxRow, *events)


async def republish(
    sessions: async_sessionmaker[AsyncSession], since: datetime, until: datetime
) -> AsyncGenerator[int, None]:
    """Add the events of this period to the outbox again, with the same ids, in batches.

    Yields the number of events that each batch added: those that are still in the outbox are not counted.
    """
    last_time, last_reference = since, ""
    while True:
        async with sessions.begin() as session:
            position = tuple_(UndeliverablePayment.created_at, UndeliverablePayment.reference)
            page = await session.execute(
                select(UndeliverablePayment)
                .where(position > (last_time, last_reference), UndeliverablePayment.created_at < until)
                .order_by(UndeliverablePayment.created_at, UndeliverablePayment.reference)
                .limit(BATCH)
            )
            rows = page.scalars().all()
            events = [_event(row) for row in rows]
            added = await outbox.add(session, OutboxRow, *events)
        if events:
            yield added
        if len(rows) < BATCH:
            return
        last_time, last_reference = rows[-1].created_at, rows[-1].reference


def _event(row: UndeliverablePayment) -> OrderUndeliverable:
    return build_undeliverable_event(OrderUndeliverableData.model_validate(row, from_attributes=True))
