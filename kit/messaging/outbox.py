"""The outbox table: an event is written in the transaction that causes it. The relay publishes it (relay.py)."""

from datetime import datetime
from functools import cache
from typing import Any, cast
from uuid import UUID

from sqlalchemy import CursorResult, Identity, Insert, LargeBinary, Table, Text, Uuid, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from contracts.events import Event
from kit.db.bulk import array_parameters, array_values, table_of
from kit.db.counting import Database, count_and_oldest_age
from kit.observability.tracing import traceparent

TOPIC = "outbox"
"""The relay waits for this topic of the service's Notifier."""


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


@cache
def _insert(outbox: Table) -> Insert:
    rows = array_parameters(event_id=Uuid, type=Text, body=LargeBinary)
    return insert(outbox).from_select(list(rows.c.keys()), select(rows)).on_conflict_do_nothing()


def _body(event: Event) -> bytes:
    trace = event.traceparent or traceparent()
    traced = event if trace == event.traceparent else event.model_copy(update={"traceparent": trace})
    return traced.model_dump_json(exclude_none=True).encode()
