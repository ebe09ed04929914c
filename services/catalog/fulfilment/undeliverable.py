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
from services.catalog.order_models import Order

BATCH = 500


async def publish(session: AsyncSession, events: Sequence[OrderUndeliverable]) -> None:
    """Store the undeliverable payments and add their events to the outbox."""
    if events:
        await session.execute(insert(UndeliverablePayment), [_row(event.data) for event in events])
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
                select(UndeliverablePayment, Order.client_metadata)
                .outerjoin(Order, Order.id == UndeliverablePayment.order_id)
                .where(position > (last_time, last_reference), UndeliverablePayment.created_at < until)
                .order_by(UndeliverablePayment.created_at, UndeliverablePayment.reference)
                .limit(BATCH)
            )
            rows = page.all()
            events = [_event(row, metadata or {}) for row, metadata in rows]
            added = await outbox.add(session, OutboxRow, *events)
        if events:
            yield added
        if len(rows) < BATCH:
            return
        last_time, last_reference = rows[-1][0].created_at, rows[-1][0].reference


def _row(data: OrderUndeliverableData) -> dict[str, object]:
    """Return the columns of an undeliverable payment. The metadata stays in the order only, so that it can be erased there."""
    return data.model_dump(exclude={"metadata"})


def _event(row: UndeliverablePayment, metadata: dict[str, str]) -> OrderUndeliverable:
    data = {name: getattr(row, name) for name in ("reference", "order_id", "amount", "currency", "reason")}
    return build_undeliverable_event(OrderUndeliverableData.model_validate({**data, "metadata": metadata}))
