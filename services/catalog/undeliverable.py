"""Payments that could not be delivered for: told, so that payments gives the money back; and remembered, so that it can be told again."""

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime

from sqlalchemy import insert, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.events import OrderUndeliverable, OrderUndeliverableData
from kit.messaging import outbox
from services.catalog import decisions
from services.catalog.db import sessions
from services.catalog.models import OutboxRow, UndeliverablePayment

BATCH = 500


async def tell(session: AsyncSession, events: Sequence[OrderUndeliverable]) -> None:
    if events:
        await session.execute(insert(UndeliverablePayment), [event.data.model_dump() for event in events])
        await outbox.add(session, OutboxRow, *events)


async def republish(since: datetime, until: datetime) -> AsyncGenerator[int, None]:
    """Tell again which payments could not be delivered for in that time; yields the number of events of each batch."""
    moment, reference = since, ""
    while True:
        async with sessions.begin() as session:
            at = tuple_(UndeliverablePayment.told_at, UndeliverablePayment.reference)
            page = await session.execute(
                select(UndeliverablePayment)
                .where(at > (moment, reference), UndeliverablePayment.told_at < until)
                .order_by(UndeliverablePayment.told_at, UndeliverablePayment.reference)
                .limit(BATCH)
            )
            rows = page.scalars().all()
            told = [_event(row) for row in rows]
            await outbox.add(session, OutboxRow, *told)
        if told:
            yield len(told)
        if len(rows) < BATCH:
            return
        moment, reference = rows[-1].told_at, rows[-1].reference


def _event(row: UndeliverablePayment) -> OrderUndeliverable:
    return decisions.undeliverable(OrderUndeliverableData.model_validate(row, from_attributes=True))
