"""Process inbox entries: all due entries of a batch together, one by one if that fails, with retries in the database."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import structlog
from prometheus_client import Counter
from sqlalchemy import (
    BigInteger,
    Table,
    Text,
    Update,
    case,
    func,
    literal_column,
    text,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from kit.db.bulk import lists, parameters, table_of
from kit.db.errors import is_contention, is_unavailable
from kit.messaging.inbox import BATCH, Entry, InboxEntry, lock_due, measure
from kit.worker.shutdown import Shutdown

log = structlog.get_logger("inbox")


ATTEMPTS = 12
"""Tries before a person is asked: with the pauses below, about a day and a half."""


FIRST_PAUSE, LONGEST_PAUSE = 2.0, 6 * 3600.0


SMALL_BATCH, BATCHING_SECONDS = 8, 0.05
"""After a batch of more than a few, so long is waited for more to share the next one: a statement costs the same for one as for many."""


POLL_SECONDS = 1.0


MEASURE_SECONDS = 5.0


SHORT_LOCK_TIMEOUT = text("SET LOCAL lock_timeout = '300ms'")
"""Whoever holds a row for longer keeps its entry waiting, and not all that came with it: that one is tried again in a moment."""


entries_total = Counter("inbox_entries_total", "Entries by how their handling ended", ["inbox", "result"])


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What a handler found. `failed`: entries that no other try can help, by id, with the reason.

    `learned`: for columns of the inbox's own, by name, what an entry of that id holds; of all entries of the batch or of none.
    `errands`: whether there is work now for other loops of the process, once this is committed.
    """

    failed: Mapping[int, str] = field(default_factory=dict)
    learned: Mapping[str, Mapping[int, Any]] = field(default_factory=dict)
    errands: bool = False


Handler = Callable[[AsyncSession, Sequence[Entry]], Awaitable[BatchResult]]
"""Gives entries their effect, in the transaction that it is handed.

Whatever it raises, nothing of it stays; the entries are then handled one by one, so that one bad entry holds back no other.
"""


async def process(session: AsyncSession, inbox: type[InboxEntry], entries: Sequence[Entry], handler: Handler) -> bool:
    """Give the entries their effect, all together where that goes well, else one by one. Commits nothing. Whether there are errands.

    Raises only what is wrong with the database itself: then nothing has happened, and no attempt was used up.
    """
    if not entries:
        return False
    await session.execute(SHORT_LOCK_TIMEOUT)
    return await _process(session, inbox, entries, handler)


async def _process(session: AsyncSession, inbox: type[InboxEntry], entries: Sequence[Entry], handler: Handler) -> bool:
    try:
        async with session.begin_nested():
            handled = await handler(session, entries)
            await _finish(session, inbox, entries, handled)
        return handled.errands
    except Exception as error:
        if is_unavailable(error) and not is_contention(error):
            raise
        if len(entries) > 1:
            return any([await _process(session, inbox, [entry], handler) for entry in entries])
        await _postpone(session, inbox, entries[0], error)
        return False


async def _finish(
    session: AsyncSession, inbox: type[InboxEntry], entries: Sequence[Entry], handled: BatchResult
) -> None:
    failed, learned = handled.failed, handled.learned
    told = entries if learned else [entry for entry in entries if not entry.new or entry.id in failed]
    if told:
        rows = lists(
            id=[entry.id for entry in told],
            status=["failed" if entry.id in failed else "processed" for entry in told],
            attempts=[entry.attempts + (not entry.new) for entry in told],
            error=[failed.get(entry.id) for entry in told],
            **{name: [values[entry.id] for entry in told] for name, values in learned.items()},
        )
        await session.execute(_finished(table_of(inbox), tuple(learned)), rows)
    if failed:
        log.error(
            "entries wait for a person",
            inbox=inbox.__tablename__,
            entries=sorted(failed)[:5],
            reasons=sorted(set(failed.values()))[:5],
        )
    entries_total.labels(inbox.__tablename__, "processed").inc(len(entries) - len(failed))
    entries_total.labels(inbox.__tablename__, "failed").inc(len(failed))


@cache
def _finished(inbox: Table, learned: tuple[str, ...]) -> Update:
    told = parameters(
        id=BigInteger, status=Text, attempts=BigInteger, error=Text, **{name: inbox.c[name].type for name in learned}
    )
    new = {name: told.c[name] for name in ("status", "attempts", "error", *learned)}
    processed_at = case((told.c.status == literal_column("'processed'"), func.now()))
    return update(inbox).where(inbox.c.id == told.c.id).values({**new, "processed_at": processed_at})


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
            status="failed" if last else "pending",
            attempts=tries,
            error=reason.encode("utf-8", "replace").decode(),
            next_attempt_at=func.now() + func.make_interval(0, 0, 0, 0, 0, 0, pause),
            processed_at=None,
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


class Processor:
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

    async def run(self, shutdown: Shutdown) -> None:
        clock = asyncio.get_running_loop().time
        measured = -MEASURE_SECONDS
        while not shutdown.requested:
            async with self.sessions.begin() as session:
                entries = await lock_due(session, self.inbox)
                errands = await process(session, self.inbox, entries, self.handler)
                if clock() - measured > MEASURE_SECONDS:
                    await measure(session, self.inbox)
                    measured = clock()
            if entries:
                self.outbox_bell.set()
            if errands:
                for bell in self.errand_bells:
                    bell.set()
            if len(entries) < BATCH:
                await shutdown.wait(POLL_SECONDS, self.bell)
                if len(entries) > SMALL_BATCH:
                    await shutdown.wait(BATCHING_SECONDS)
