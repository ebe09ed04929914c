"""The outbox table: an event is written in the transaction that causes it. The relay publishes it (relay.py)."""

from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Identity,
    Insert,
    LargeBinary,
    Table,
    Text,
    Uuid,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from contracts.events import Event
from kit.db.bulk import lists, parameters, table_of
from kit.observability.tracing import traceparent


class OutboxEvent:
    """Mixin for a service's outbox table. `id` is the order of insertion, not of commit: never keep a high-water mark on it."""

    __tablename__ = "outbox"

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    event_id: Mapped[UUID] = mapped_column(unique=True)
    type: Mapped[str]
    body: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    next_attempt_at: Mapped[datetime] = mapped_column(server_default=func.now())
    attempts: Mapped[int] = mapped_column(server_default="0")
    error: Mapped[str | None]


@cache
def _additions(outbox: Table) -> Insert:
    """An event that waits there already, to be told again, is not put there twice."""
    told = parameters(event_id=Uuid, type=Text, body=LargeBinary)
    return insert(outbox).from_select(list(told.c.keys()), select(told)).on_conflict_do_nothing()


def _body(event: Event) -> bytes:
    trace = event.traceparent or traceparent()
    traced = event if trace == event.traceparent else event.model_copy(update={"traceparent": trace})
    return traced.model_dump_json(exclude_none=True).encode()


async def add(session: AsyncSession, outbox: type[OutboxEvent], *events: Event) -> None:
    """Put events into the outbox, in the transaction of what they tell."""
    if events:
        told = lists(
            event_id=[event.id for event in events],
            type=[event.type for event in events],
            body=[_body(event) for event in events],
        )
        await session.execute(_additions(table_of(outbox)), told)


def backlog(outbox: type[OutboxEvent]) -> Any:
    """How many events wait to leave (counted up to 10,000), and the age of the oldest in seconds."""
    waiting = select(outbox.created_at).order_by(outbox.id).limit(10_000).subquery()
    age = func.coalesce(func.extract("epoch", func.now() - func.min(waiting.c.created_at)), 0)
    return select(func.count(), age).select_from(waiting)
