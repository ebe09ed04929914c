"""The inbox table: every message is stored as it arrived, takes effect once, and is retried from the database until it has."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from prometheus_client import Gauge
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ColumnElement,
    Identity,
    Index,
    LargeBinary,
    Select,
    Table,
    Text,
    bindparam,
    delete,
    func,
    literal_column,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from kit.db.bulk import lists, parameters, table_of

BATCH = 200


RETENTION = timedelta(days=30)
"""How long a done entry goes on absorbing what comes twice; Paystack tries for 72 hours."""


unprocessed_entries = Gauge(
    "inbox_unprocessed_entries", "Entries that are not done, counted up to 10,000", ["inbox", "status"]
)


class InboxEntry:
    """Mixin for an inbox table. `key` is what makes two deliveries the same thing; `body` are the bytes as they came."""

    if TYPE_CHECKING:
        __tablename__: Any

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    headers: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    received_at: Mapped[datetime] = mapped_column(server_default=func.now())
    status: Mapped[str] = mapped_column(server_default="pending")
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    next_attempt_at: Mapped[datetime] = mapped_column(server_default=func.now())
    error: Mapped[str | None]
    processed_at: Mapped[datetime | None]

    @declared_attr.directive
    @classmethod
    def __table_args__(cls) -> tuple[Any, ...]:
        return (
            CheckConstraint("status IN ('pending', 'processed', 'failed')", name="status"),
            Index(None, "next_attempt_at", postgresql_where=text("status = 'pending'")),
            Index(None, "status", postgresql_where=text("status = 'failed'")),
            Index(None, "received_at", postgresql_using="brin"),
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry on its way through a handler. `new`: claimed in this very transaction."""

    id: int
    key: str
    body: bytes
    headers: dict[str, Any]
    attempts: int
    received_at: datetime
    new: bool = False


async def store(session: AsyncSession, inbox: type[InboxEntry], rows: Iterable[Mapping[str, Any]]) -> list[Entry]:
    """Keep what has come, for later: the entries that were not known before, in the order given. `rows`: key, body, headers."""
    return [Entry(*row) for row in await _insert(session, _pending_insert(table_of(inbox)), rows)]


async def store_processed(
    session: AsyncSession, inbox: type[InboxEntry], rows: Iterable[Mapping[str, Any]]
) -> list[Entry]:
    """Keep what has come, to be settled in this same transaction: as `receive`, and written down as done at once.

    Nobody sees it before the commit, and `settle` sets back what could not be given its effect.
    """
    return [Entry(**row._mapping, new=True) for row in await _insert(session, _processed_insert(table_of(inbox)), rows)]


async def _insert(session: AsyncSession, new: Any, rows: Iterable[Mapping[str, Any]]) -> Iterable[Any]:
    by_key = {row["key"]: row for row in rows}
    if not by_key:
        return []
    come = lists(**{name: [row[name] for row in by_key.values()] for name in ("key", "body", "headers")})
    return await session.execute(new, come)


@cache
def _pending_insert(inbox: Table) -> Any:
    return _new(inbox, {})


@cache
def _processed_insert(inbox: Table) -> Any:
    return _new(
        inbox, {"status": literal_column("'processed'"), "attempts": literal_column("1"), "processed_at": func.now()}
    )


def _new(inbox: Table, values: Mapping[str, ColumnElement[Any]]) -> Any:
    come = parameters(key=Text, body=LargeBinary, headers=JSONB)
    new = insert(inbox).from_select([*come.c.keys(), *values], select(come, *values.values()))
    return new.on_conflict_do_nothing(index_elements=["key"]).returning(*_columns(inbox))


async def lock_due(session: AsyncSession, inbox: type[InboxEntry], limit: int = BATCH) -> list[Entry]:
    """Lock the entries whose next try has come, the longest due first; what another worker has in hand is passed over."""
    return [Entry(*row) for row in await session.execute(_due(table_of(inbox)), {"most": limit})]


@cache
def _due(inbox: Table) -> Select[Any]:
    c = inbox.c
    # Written out, as a parameter would hide from the planner that the index of what is pending fits.
    pending = select(*_columns(inbox)).where(c.status == literal_column("'pending'"), c.next_attempt_at <= func.now())
    # In the order of that index: by id alone, the planner may go through all that was ever done, as long as its statistics tell of many
    # that wait.
    return (
        pending.order_by(c.next_attempt_at, c.id)
        .limit(bindparam("most", type_=BigInteger))
        .with_for_update(skip_locked=True)
    )


async def measure(session: AsyncSession, inbox: type[InboxEntry]) -> None:
    """Set the gauges of what is pending and what waits for a person."""
    for status in ("pending", "failed"):
        some = select(inbox.id).where(inbox.status == text(f"'{status}'")).limit(10_000).subquery()
        count = (await session.execute(select(func.count()).select_from(some))).scalar_one()
        unprocessed_entries.labels(inbox.__tablename__, status).set(count)


async def prune(session: AsyncSession, inbox: type[InboxEntry], limit: int = 1000) -> int:
    """Forget done entries that came longer than KEPT ago, at most `limit` of them. How many it were.

    Ids are given out as time goes by, so the oldest are at the beginning of the primary key. An index on the time would not find them for
    long: a BRIN forgets nothing that was deleted, and new rows take the room of old ones.
    """
    oldest = (
        select(inbox.id, inbox.received_at)
        .where(inbox.status == "processed")
        .order_by(inbox.id)
        .limit(limit)
        .subquery()
    )
    old = select(oldest.c.id).where(oldest.c.received_at < func.now() - RETENTION)
    these = delete(inbox).where(inbox.id.in_(old)).returning(inbox.id)
    return len((await session.execute(these.execution_options(synchronize_session=False))).all())


def _columns(inbox: Table) -> tuple[Any, ...]:
    c = inbox.c
    return c.id, c.key, c.body, c.headers, c.attempts, c.received_at
