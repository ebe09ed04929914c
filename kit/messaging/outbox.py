"""The outbox table: an event is written in the transaction that causes it. The relay publishes it (relay.py)."""

from datetime import datetime
from functools import cache
from typing import Any, cast
from uuid import UUID

from sqlalchemy import CursorResult, Identity, Insert, LargeBinary, Table, Text, Uuid, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Mapped, mapped_column

from contracts.events import Event
from kit.db.bulk import array_parameters, array_values, table_of
from kit.db.counting import Database, count_and_oldest_age
from kit.observability.measured_gauge import MeasuredGauge
from kit.observability.tracing import traceparent
from kit.worker.shutdown import Shutdown

TOPIC = "outbox"
"""The relay waits for this topic of the service's Notifier."""


MEASURE_SECONDS = 5.0

pending_events = MeasuredGauge(
    "outbox_pending", "Events in the outbox that the broker has not confirmed, counted up to 10,000"
)
oldest_seconds = MeasuredGauge("outbox_oldest_age_seconds", "Age of the oldest event in the outbox")


class OutboxEvent:
    """Mixin for a service's outbox table. Ids are in order of insertion, not of commit: an id may become visible after a greater one."""

    __tablename__ = "outbox"

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    event_id: Mapped[UUID] = mapped_column(unique=True)
    type: Mapped[str]
    body: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    next_attempt_at: Mapped[datetime] = mapped_column(server_default=func.now())
    attempts: Mapped[int] = mapped_column(server_default="0")
    error: Mapped[str | None]


async def add(session: AsyncSession, outbox: type[OutboxEvent], *events: Event) -> int:
    """Write events to the outbox, in the transaction that causes them. An event that is still in the outbox is not written again.

    An event without a trace context gets the current trace context. Return the number of events that were written.
    """
    if not events:
        return 0
    values = array_values(
        event_id=[event.id for event in events],
        type=[event.type for event in events],
        body=[_body(event) for event in events],
    )
    result = await session.execute(_insert(table_of(outbox)), values)
    return cast(CursorResult[Any], result).rowcount


async def backlog(database: Database, outbox: type[OutboxEvent]) -> tuple[int, float]:
    """Return how many events wait to be published (counted up to 10,000) and the age of the oldest in seconds."""
    return await count_and_oldest_age(database, select(outbox.id).order_by(outbox.id), outbox.created_at)


async def measure(database: Database, outbox: type[OutboxEvent]) -> tuple[int, float]:
    """Set the gauges of the outbox and return their values, as `backlog` does. Needs only the database: it also works without a broker."""
    count, age = await backlog(database, outbox)
    pending_events.set(count)
    oldest_seconds.set(age)
    return count, age


async def keep_measuring(
    sessions: async_sessionmaker[AsyncSession], outbox: type[OutboxEvent], shutdown: Shutdown
) -> None:
    """Run as a job: set the gauges of the outbox every few seconds. Every worker runs it, also one whose relay stands by."""
    while not shutdown.requested:
        async with sessions() as session:
            await measure(session, outbox)
        await shutdown.wait(MEASURE_SECONDS)


@cache
def _insert(outbox: Table) -> Insert:
    rows = array_parameters(event_id=Uuid, type=Text, body=LargeBinary)
    return insert(outbox).from_select(list(rows.c.keys()), select(rows)).on_conflict_do_nothing()


def _body(event: Event) -> bytes:
    trace = event.traceparent or traceparent()
    traced = event if trace == event.traceparent else event.model_copy(update={"traceparent": trace})
    return traced.model_dump_json(exclude_none=True).encode()
