"""The inbox table: stores each message. Its effect is applied once; the processor retries failures (processor.py)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Identity,
    Index,
    LargeBinary,
    Select,
    Table,
    Text,
    Update,
    any_,
    bindparam,
    case,
    delete,
    func,
    literal_column,
    select,
    text,
    update,
)
from sqlalchemy import Row as ResultRow
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, declared_attr, mapped_column
from sqlalchemy.schema import SchemaItem
from sqlalchemy.sql.dml import ReturningInsert

from kit.db.bulk import array_parameters, array_values, table_of
from kit.db.columns import one_of, text_enum
from kit.db.counting import count_up_to
from kit.messaging.entry_status import EntryStatus
from kit.observability.measured_gauge import MeasuredGauge

BATCH = 200

RETENTION = timedelta(days=30)
"""Processed entries are deleted after this time. Until then redeliveries are recognized. Paystack retries a webhook for 72 hours."""

Row = tuple[int, str, bytes, dict[str, Any], int, datetime]

unprocessed_entries = MeasuredGauge(
    "inbox_unprocessed_entries",
    "Inbox entries that are pending or failed, each counted up to 10,000",
    ["inbox", "status"],
)


def status_literal(status: EntryStatus) -> ColumnElement[str]:
    """Return a status as an SQL literal. If it were a parameter, the planner could not use a partial index on the status."""
    return literal_column(f"'{status}'")


class InboxEntry:
    """Mixin for an inbox table. Messages with the same `key` are the same message. `body`: as received (but see personal_data.py)."""

    if TYPE_CHECKING:
        __tablename__: Any

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    headers: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    received_at: Mapped[datetime] = mapped_column(server_default=func.now())
    status: Mapped[EntryStatus] = mapped_column(text_enum(EntryStatus), server_default=EntryStatus.PENDING)
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    next_attempt_at: Mapped[datetime] = mapped_column(server_default=func.now())
    error: Mapped[str | None]
    processed_at: Mapped[datetime | None]

    @declared_attr.directive
    @classmethod
    def __table_args__(cls) -> tuple[SchemaItem, ...]:
        return (
            one_of("status", EntryStatus),
            Index(None, "next_attempt_at", postgresql_where=text(f"status = '{EntryStatus.PENDING}'")),
            Index(None, "status", postgresql_where=text(f"status = '{EntryStatus.FAILED}'")),
            Index(None, "received_at", postgresql_using="brin"),
        )


class Message(NamedTuple):
    """A message to be stored in an inbox. Messages with the same `key` are the same message."""

    key: str
    body: bytes
    headers: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """An inbox entry that is passed to a handler. `stored_as_processed`: by `store_processed`, in the same transaction."""

    id: int
    key: str
    body: bytes
    headers: dict[str, Any]
    attempts: int
    received_at: datetime
    stored_as_processed: bool = False

    @property
    def traceparent(self) -> str | None:
        """The trace context in the headers of the message; not validated."""
        return self.headers.get("traceparent")


async def store(session: AsyncSession, inbox: type[InboxEntry], messages: Iterable[Message]) -> list[Entry]:
    """Store messages to be processed later. Return those that were not known before, in the given order.

    If a known message is delivered again and its entry is not processed yet, the entry is due for another attempt.
    """
    return [Entry(*row) for row in await _insert(session, inbox, _pending_insert(table_of(inbox)), messages)]


async def store_processed(session: AsyncSession, inbox: type[InboxEntry], messages: Iterable[Message]) -> list[Entry]:
    """Store messages that are processed in this same transaction: like `store`, but with the status `processed` from the start.

    That status is invisible before the commit, and `processor.process` changes the status of entries that fail.
    """
    return [
        Entry(*row, stored_as_processed=True)
        for row in await _insert(session, inbox, _processed_insert(table_of(inbox)), messages)
    ]


async def lock_due(session: AsyncSession, inbox: type[InboxEntry], limit: int = BATCH) -> list[Entry]:
    """Lock up to `limit` pending entries whose next attempt is due, the longest due first. Skip entries that another worker has locked."""
    return [Entry(*row) for row in await session.execute(_select_due(table_of(inbox)), {"limit": limit})]


async def measure(session: AsyncSession, inbox: type[InboxEntry]) -> None:
    """Set the gauges of pending and failed entries."""
    for status in (EntryStatus.PENDING, EntryStatus.FAILED):
        count = await count_up_to(session, select(inbox.id).where(inbox.status == status_literal(status)))
        unprocessed_entries.set(count, inbox.__tablename__, status)


async def prune(session: AsyncSession, inbox: type[InboxEntry], limit: int = 1000) -> int:
    """Delete up to `limit` processed entries that arrived longer than RETENTION ago. Return how many were deleted.

    Entries that another worker is deleting are skipped.

    Ids increase with time, so the oldest entries are at the start of the primary key. The query does not use the BRIN index on
    `received_at`, because new rows reuse the space of deleted rows: after some time every block range has old and new values.
    """
    oldest = (
        select(inbox.id, inbox.received_at)
        .where(inbox.status == EntryStatus.PROCESSED)
        .order_by(inbox.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("oldest")
    )
    old = select(oldest.c.id).where(oldest.c.received_at < func.now() - RETENTION)
    deleted = await session.execute(delete(inbox).where(inbox.id.in_(old)).returning(inbox.id))
    return len(deleted.all())


def make_due_again(inbox: type[InboxEntry]) -> Update:
    """Return the statement that makes entries with these `keys` due now, unless they are processed. Failed ones get all attempts again.

    It skips entries that a worker has locked, because that worker is making an attempt.
    """
    return _make_due_again(table_of(inbox))


@cache
def _make_due_again(inbox: Table) -> Update:
    c = inbox.c
    keys = bindparam("keys", type_=ARRAY(Text))
    unprocessed = select(c.id).where(c.key == any_(keys), c.status != status_literal(EntryStatus.PROCESSED))
    again = unprocessed.with_for_update(skip_locked=True).cte("again")
    attempts = case((c.status == status_literal(EntryStatus.FAILED), 0), else_=c.attempts)
    values = {"status": EntryStatus.PENDING, "attempts": attempts, "next_attempt_at": func.now()}
    return update(inbox).where(c.id == again.c.id).values(values)


async def _insert(
    session: AsyncSession, inbox: type[InboxEntry], statement: ReturningInsert[*Row], messages: Iterable[Message]
) -> Sequence[ResultRow[*Row]]:
    distinct = {message.key: message for message in messages}
    if not distinct:
        return []
    # In the order of the keys: otherwise two processes that store the same messages could deadlock.
    ordered = [distinct[key] for key in sorted(distinct)]
    values = array_values(
        key=[message.key for message in ordered],
        body=[message.body for message in ordered],
        headers=[message.headers for message in ordered],
    )
    new = {row.key: row for row in await session.execute(statement, values)}
    if len(new) < len(distinct):
        await session.execute(make_due_again(inbox), {"keys": list(distinct.keys() - new.keys())})
    return [new[key] for key in distinct if key in new]


@cache
def _pending_insert(inbox: Table) -> ReturningInsert[*Row]:
    return _insert_statement(inbox, {})


@cache
def _processed_insert(inbox: Table) -> ReturningInsert[*Row]:
    return _insert_statement(
        inbox,
        {
            "status": status_literal(EntryStatus.PROCESSED),
            "attempts": literal_column("1"),
            "processed_at": func.now(),
        },
    )


def _insert_statement(inbox: Table, values: Mapping[str, ColumnElement[Any]]) -> ReturningInsert[*Row]:
    rows = array_parameters(key=Text, body=LargeBinary, headers=JSONB)
    new = insert(inbox).from_select([*rows.c.keys(), *values], select(rows, *values.values()))
    return new.on_conflict_do_nothing(index_elements=["key"]).returning(*_entry_columns(inbox))


@cache
def _select_due(inbox: Table) -> Select[*Row]:
    c = inbox.c
    due = select(*_entry_columns(inbox)).where(
        c.status == status_literal(EntryStatus.PENDING), c.next_attempt_at <= func.now()
    )
    # Order by the index of pending entries. With ORDER BY id, the planner may scan the primary key with all processed entries, if its
    # statistics (perhaps outdated) say that many entries are pending.
    return (
        due.order_by(c.next_attempt_at, c.id)
        .limit(bindparam("limit", type_=BigInteger))
        .with_for_update(skip_locked=True)
    )


def _entry_columns(inbox: Table) -> tuple[Any, ...]:
    c = inbox.c
    return c.id, c.key, c.body, c.headers, c.attempts, c.received_at
