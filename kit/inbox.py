"""The way in: what came is stored as it came, takes effect once, and is tried again until it has.

One mechanism for two doors: payments' notices (webhooks) and the events that a consumer takes from the broker. An entry is `pending`
until its effect is committed, then `done`. A failure leaves it `pending` with its error and its next try; after the last try it is
`failed` and waits for a person. Retries live here, not in the broker: they survive everything and can be looked at.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import structlog
from prometheus_client import Counter, Gauge
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
    Update,
    bindparam,
    case,
    delete,
    func,
    literal_column,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from kit.database import is_contention, is_unavailable, lists, parameters, table_of
from kit.worker import Life

ATTEMPTS = 12
"""Tries before a person is asked: with the pauses below, about a day and a half."""

FIRST_PAUSE, LONGEST_PAUSE = 2.0, 6 * 3600.0
BATCH = 200
FEW, GATHER_SECONDS = 8, 0.05
"""After a batch of more than a few, so long is waited for more to share the next one: a statement costs the same for one as for many."""

POLL_SECONDS = 1.0
MEASURE_SECONDS = 5.0
KEPT = timedelta(days=30)
"""How long a done entry goes on absorbing what comes twice; Paystack tries for 72 hours."""

PATIENCE = text("SET LOCAL lock_timeout = '300ms'")
"""Whoever holds a row for longer keeps its entry waiting, and not all that came with it: that one is tried again in a moment."""

waiting_entries = Gauge("inbox_waiting", "Entries that are not done, counted up to 10,000", ["inbox", "state"])
entries_total = Counter("inbox_entries_total", "Entries by how their handling ended", ["inbox", "result"])
log = structlog.get_logger("inbox")


class InboxEntry:
    """Mixin for an inbox table. `key` is what makes two deliveries the same thing; `body` are the bytes as they came."""

    if TYPE_CHECKING:
        __tablename__: Any

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    headers: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    received_at: Mapped[datetime] = mapped_column(server_default=func.now())
    state: Mapped[str] = mapped_column(server_default="pending")
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    next_attempt_at: Mapped[datetime] = mapped_column(server_default=func.now())
    error: Mapped[str | None]
    done_at: Mapped[datetime | None]

    @declared_attr.directive
    @classmethod
    def __table_args__(cls) -> tuple[Any, ...]:
        return (
            CheckConstraint("state IN ('pending', 'done', 'failed')", name="state"),
            Index(None, "next_attempt_at", postgresql_where=text("state = 'pending'")),
            Index(None, "state", postgresql_where=text("state = 'failed'")),
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


@dataclass(frozen=True, slots=True)
class Handled:
    """What a handler found. `hopeless`: entries that no other try can help, by id, with the reason.

    `learned`: for columns of the inbox's own, by name, what an entry of that id holds; of all entries of the batch or of none.
    `errands`: whether there is work now for other loops of the process, once this is committed.
    """

    hopeless: Mapping[int, str] = field(default_factory=dict)
    learned: Mapping[str, Mapping[int, Any]] = field(default_factory=dict)
    errands: bool = False


Handler = Callable[[AsyncSession, Sequence[Entry]], Awaitable[Handled]]
"""Gives entries their effect, in the transaction that it is handed.

Whatever it raises, nothing of it stays; the entries are then handled one by one, so that one bad entry holds back no other.
"""


async def receive(session: AsyncSession, inbox: type[InboxEntry], rows: Iterable[Mapping[str, Any]]) -> list[Entry]:
    """Keep what has come, for later: the entries that were not known before, in the order given. `rows`: key, body, headers."""
    return [Entry(*row) for row in await _insert(session, _kept(table_of(inbox)), rows)]


async def claim(session: AsyncSession, inbox: type[InboxEntry], rows: Iterable[Mapping[str, Any]]) -> list[Entry]:
    """Keep what has come, to be settled in this same transaction: as `receive`, and written down as done at once.

    Nobody sees it before the commit, and `settle` sets back what could not be given its effect.
    """
    return [Entry(**row._mapping, new=True) for row in await _insert(session, _claimed(table_of(inbox)), rows)]


async def _insert(session: AsyncSession, new: Any, rows: Iterable[Mapping[str, Any]]) -> Iterable[Any]:
    by_key = {row["key"]: row for row in rows}
    if not by_key:
        return []
    come = lists(**{name: [row[name] for row in by_key.values()] for name in ("key", "body", "headers")})
    return await session.execute(new, come)


@cache
def _kept(inbox: Table) -> Any:
    return _new(inbox, {})


@cache
def _claimed(inbox: Table) -> Any:
    return _new(inbox, {"state": literal_column("'done'"), "attempts": literal_column("1"), "done_at": func.now()})


def _new(inbox: Table, values: Mapping[str, ColumnElement[Any]]) -> Any:
    come = parameters(key=Text, body=LargeBinary, headers=JSONB)
    new = insert(inbox).from_select([*come.c.keys(), *values], select(come, *values.values()))
    return new.on_conflict_do_nothing(index_elements=["key"]).returning(*_columns(inbox))


async def due(session: AsyncSession, inbox: type[InboxEntry], limit: int = BATCH) -> list[Entry]:
    """Lock the entries whose next try has come, the longest due first; what another worker has in hand is passed over."""
    return [Entry(*row) for row in await session.execute(_due(table_of(inbox)), {"most": limit})]


@cache
def _due(inbox: Table) -> Select[Any]:
    c = inbox.c
    # Written out, as a parameter would hide from the planner that the index of what is pending fits.
    pending = select(*_columns(inbox)).where(c.state == literal_column("'pending'"), c.next_attempt_at <= func.now())
    # In the order of that index: by id alone, the planner may go through all that was ever done, as long as its statistics tell of many
    # that wait.
    return (
        pending.order_by(c.next_attempt_at, c.id)
        .limit(bindparam("most", type_=BigInteger))
        .with_for_update(skip_locked=True)
    )


async def settle(session: AsyncSession, inbox: type[InboxEntry], entries: Sequence[Entry], handler: Handler) -> bool:
    """Give the entries their effect, all together where that goes well, else one by one. Commits nothing. Whether there are errands.

    Raises only what is wrong with the database itself: then nothing has happened, and no attempt was used up.
    """
    if not entries:
        return False
    await session.execute(PATIENCE)
    return await _settle(session, inbox, entries, handler)


async def _settle(session: AsyncSession, inbox: type[InboxEntry], entries: Sequence[Entry], handler: Handler) -> bool:
    try:
        async with session.begin_nested():
            handled = await handler(session, entries)
            await _finish(session, inbox, entries, handled)
        return handled.errands
    except Exception as error:
        if is_unavailable(error) and not is_contention(error):
            raise
        if len(entries) > 1:
            return any([await _settle(session, inbox, [entry], handler) for entry in entries])
        await _postpone(session, inbox, entries[0], error)
        return False


async def _finish(session: AsyncSession, inbox: type[InboxEntry], entries: Sequence[Entry], handled: Handled) -> None:
    hopeless, learned = handled.hopeless, handled.learned
    told = entries if learned else [entry for entry in entries if not entry.new or entry.id in hopeless]
    if told:
        rows = lists(
            id=[entry.id for entry in told],
            state=["failed" if entry.id in hopeless else "done" for entry in told],
            attempts=[entry.attempts + (not entry.new) for entry in told],
            error=[hopeless.get(entry.id) for entry in told],
            **{name: [values[entry.id] for entry in told] for name, values in learned.items()},
        )
        await session.execute(_finished(table_of(inbox), tuple(learned)), rows)
    if hopeless:
        log.error(
            "entries wait for a person",
            inbox=inbox.__tablename__,
            entries=sorted(hopeless)[:5],
            reasons=sorted(set(hopeless.values()))[:5],
        )
    entries_total.labels(inbox.__tablename__, "done").inc(len(entries) - len(hopeless))
    entries_total.labels(inbox.__tablename__, "failed").inc(len(hopeless))


@cache
def _finished(inbox: Table, learned: tuple[str, ...]) -> Update:
    told = parameters(
        id=BigInteger, state=Text, attempts=BigInteger, error=Text, **{name: inbox.c[name].type for name in learned}
    )
    new = {name: told.c[name] for name in ("state", "attempts", "error", *learned)}
    done_at = case((told.c.state == literal_column("'done'"), func.now()))
    return update(inbox).where(inbox.c.id == told.c.id).values({**new, "done_at": done_at})


async def _postpone(session: AsyncSession, inbox: type[InboxEntry], entry: Entry, error: Exception) -> None:
    # A row that another transaction holds is no failure of the entry: it costs no attempt.
    before = entry.attempts - entry.new
    tries = before + (0 if is_contention(error) else 1)
    last = tries >= ATTEMPTS
    pause = min(FIRST_PAUSE * 2 ** max(0, tries - 1) * 1.5, LONGEST_PAUSE) * random.uniform(0.5, 1)  # noqa: S311 -- jitter
    reason = f"{type(error).__name__}: {error}"[:2000].replace("\x00", "")
    await session.execute(
        update(inbox)
        .where(inbox.id == entry.id)
        .values(
            state="failed" if last else "pending",
            attempts=tries,
            error=reason.encode("utf-8", "replace").decode(),
            next_attempt_at=func.now() + func.make_interval(0, 0, 0, 0, 0, 0, pause),
            done_at=None,
        )
        .execution_options(synchronize_session=False)
    )
    entries_total.labels(inbox.__tablename__, "failed" if last else "retried").inc()
    log.log(
        40 if last else 30,
        "entry waits for a person" if last else "entry will be tried again",
        inbox=inbox.__tablename__,
        entry=entry.id,
        attempts=tries,
        error=reason[:300],
    )


async def measure(session: AsyncSession, inbox: type[InboxEntry]) -> None:
    """Set the gauges of what is pending and what waits for a person."""
    for state in ("pending", "failed"):
        some = select(inbox.id).where(inbox.state == text(f"'{state}'")).limit(10_000).subquery()
        count = (await session.execute(select(func.count()).select_from(some))).scalar_one()
        waiting_entries.labels(inbox.__tablename__, state).set(count)


async def prune(session: AsyncSession, inbox: type[InboxEntry], limit: int = 1000) -> int:
    """Forget done entries that came longer than KEPT ago, at most `limit` of them. How many it were.

    Ids are given out as time goes by, so the oldest are at the beginning of the primary key. An index on the time would not find them for
    long: a BRIN forgets nothing that was deleted, and new rows take the room of old ones.
    """
    oldest = select(inbox.id, inbox.received_at).where(inbox.state == "done").order_by(inbox.id).limit(limit).subquery()
    old = select(oldest.c.id).where(oldest.c.received_at < func.now() - KEPT)
    these = delete(inbox).where(inbox.id.in_(old)).returning(inbox.id)
    return len((await session.execute(these.execution_options(synchronize_session=False))).all())


def _columns(inbox: Table) -> tuple[Any, ...]:
    c = inbox.c
    return c.id, c.key, c.body, c.headers, c.attempts, c.received_at


class Settler:
    """The loop that gives due entries their effect, a batch a transaction."""

    def __init__(
        self,
        sessions: async_sessionmaker[AsyncSession],
        inbox: type[InboxEntry],
        handler: Handler,
        *,
        outbox_bell: asyncio.Event,
        errand_bells: Sequence[asyncio.Event] = (),
    ) -> None:
        self.sessions = sessions
        self.inbox = inbox
        self.handler = handler
        self.outbox_bell = outbox_bell
        self.errand_bells = errand_bells
        self.bell = asyncio.Event()
        """Ring it when something may be due."""

    async def run(self, life: Life) -> None:
        clock = asyncio.get_running_loop().time
        measured = -MEASURE_SECONDS
        while not life.over:
            async with self.sessions.begin() as session:
                entries = await due(session, self.inbox)
                errands = await settle(session, self.inbox, entries, self.handler)
                if clock() - measured > MEASURE_SECONDS:
                    await measure(session, self.inbox)
                    measured = clock()
            if entries:
                self.outbox_bell.set()
            if errands:
                for bell in self.errand_bells:
                    bell.set()
            if len(entries) < BATCH:
                await life.wait(POLL_SECONDS, self.bell)
                if len(entries) > FEW:
                    await life.wait(GATHER_SECONDS)
