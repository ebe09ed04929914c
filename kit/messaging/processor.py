"""Process inbox entries: a batch in one transaction, or one by one if that fails, and retry with backoff."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import structlog
from prometheus_client import Counter
from sqlalchemy import BigInteger, Table, Text, Update, case, func, text, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from kit.db.after_commit import after_commit
from kit.db.bulk import array_parameters, array_values, table_of
from kit.db.errors import is_contention, may_succeed_later
from kit.messaging import outbox
from kit.messaging.entry_status import EntryStatus
from kit.messaging.inbox import BATCH, Entry, InboxEntry, lock_due, measure, status_literal
from kit.messaging.notifier import Notifier
from kit.observability.tracing import continue_trace
from kit.worker.backoff import Backoff
from kit.worker.shutdown import Shutdown

ATTEMPTS = 12
"""An entry that still fails at this attempt needs an operator. If a retry cannot succeed (`BatchResult.failed`), it needs one at once. With
BACKOFF, the last attempt is about an hour after the first one; the longest pause is never reached."""

BACKOFF = Backoff(first=2.0, longest=3600.0)

SMALL_BATCH, BATCHING_SECONDS = 8, 0.05
"""After a batch larger than SMALL_BATCH, wait BATCHING_SECONDS, so that the next batch is larger: the cost of a batch hardly depends on its
size."""

POLL_SECONDS = 1.0
MEASURE_SECONDS = 5.0

SHORT_LOCK_TIMEOUT = text("SET LOCAL lock_timeout = '300ms'")
"""If a row stays locked for longer, the entries of the batch are processed one by one, and only the entry that needs the row is retried."""

entries_total = Counter("inbox_entries_total", "Inbox entries by result", ["inbox", "result"])
log = structlog.get_logger("inbox")


@dataclass(frozen=True, slots=True)
class BatchResult:
    """The result of processing a batch.

    `failed`: reasons by entry id, for entries that need an operator because a retry cannot succeed.
    `postponed`: reasons by entry id, for entries that are retried with backoff, because what they need may arrive later.
    `columns`: values for additional columns of the inbox table: by column name, then by entry id. A column needs a value for every entry.
    `topics`: those to notify after the commit, because other jobs now have work.
    """

    failed: Mapping[int, str] = field(default_factory=dict)
    postponed: Mapping[int, str] = field(default_factory=dict)
    columns: Mapping[str, Mapping[int, Any]] = field(default_factory=dict)
    topics: frozenset[str] = frozenset()


Handler = Callable[[AsyncSession, Sequence[Entry]], Awaitable[BatchResult]]
"""Processes entries in the given transaction.

If it raises, its changes are rolled back and the entries are processed one by one, so that one bad entry does not delay the others.
"""


async def process(
    session: AsyncSession, inbox: type[InboxEntry], entries: Sequence[Entry], handler: Handler
) -> frozenset[str]:
    """Process entries in this transaction: all together, and one by one if that fails. Return the topics to notify after the commit.

    Raises only if the database is unavailable. In that case nothing was changed and no attempt was used.
    """
    if not entries:
        return frozenset()
    await session.execute(SHORT_LOCK_TIMEOUT)
    return await _process(session, inbox, entries, handler)


async def _process(
    session: AsyncSession, inbox: type[InboxEntry], entries: Sequence[Entry], handler: Handler
) -> frozenset[str]:
    """Process entries. If there is only one, continue its trace."""
    if len(entries) == 1:
        with continue_trace(entries[0].traceparent):
            return await _attempt(session, inbox, entries, handler)
    return await _attempt(session, inbox, entries, handler)


async def _attempt(
    session: AsyncSession, inbox: type[InboxEntry], entries: Sequence[Entry], handler: Handler
) -> frozenset[str]:
    """Call the handler in a savepoint. If it fails, process the entries one by one, or postpone the only entry."""
    try:
        async with session.begin_nested():
            result = await handler(session, entries)
            await _finish(session, inbox, [entry for entry in entries if entry.id not in result.postponed], result)
            for entry in entries:
                if entry.id in result.postponed:
                    columns = {name: values[entry.id] for name, values in result.columns.items()}
                    await _postpone(session, inbox, entry, result.postponed[entry.id], columns)
        return result.topics
    except Exception as error:
        if may_succeed_later(error) and not is_contention(error):
            raise
        if len(entries) > 1:
            return frozenset().union(*[await _process(session, inbox, [entry], handler) for entry in entries])
        await _postpone(
            session, inbox, entries[0], f"{type(error).__name__}: {error}", counts_as_attempt=not is_contention(error)
        )
        return frozenset()


async def _finish(
    session: AsyncSession, inbox: type[InboxEntry], entries: Sequence[Entry], result: BatchResult
) -> None:
    """Write the result of a batch.

    Entries that were stored as processed are updated only if they failed or if the handler returned columns.
    """
    failed, columns = result.failed, result.columns
    # An entry that was stored as processed already has this status, and its `attempts` already count this attempt.
    changed = (
        entries if columns else [entry for entry in entries if not entry.stored_as_processed or entry.id in failed]
    )
    if changed:
        rows = array_values(
            id=[entry.id for entry in changed],
            status=[EntryStatus.FAILED if entry.id in failed else EntryStatus.PROCESSED for entry in changed],
            attempts=[entry.attempts + (not entry.stored_as_processed) for entry in changed],
            error=[failed.get(entry.id) for entry in changed],
            **{name: [values[entry.id] for entry in changed] for name, values in columns.items()},
        )
        await session.execute(_finish_statement(table_of(inbox), tuple(columns)), rows)
    after_commit(session, _log_and_count, inbox.__tablename__, entries, failed)


def _log_and_count(name: str, entries: Sequence[Entry], failed: Mapping[int, str]) -> None:
    for entry in entries:
        if entry.id in failed:
            with continue_trace(entry.traceparent):
                log.error("inbox entry failed", inbox=name, entry=entry.id, reason=failed[entry.id])
    entries_total.labels(name, "processed").inc(len(entries) - len(failed))
    entries_total.labels(name, "failed").inc(len(failed))


@cache
def _finish_statement(inbox: Table, columns: tuple[str, ...]) -> Update:
    additional = {name: inbox.c[name].type for name in columns}
    rows = array_parameters(id=BigInteger, status=Text, attempts=BigInteger, error=Text, **additional)
    values = {name: rows.c[name] for name in ("status", "attempts", "error", *columns)}
    processed_at = case((rows.c.status == status_literal(EntryStatus.PROCESSED), func.now()))
    return update(inbox).where(inbox.c.id == rows.c.id).values({**values, "processed_at": processed_at})


async def _postpone(
    session: AsyncSession,
    inbox: type[InboxEntry],
    entry: Entry,
    reason: str,
    columns: Mapping[str, Any] | None = None,
    *,
    counts_as_attempt: bool = True,
) -> None:
    """Schedule the next attempt of an entry, or set it to failed after the last attempt. `columns`: more values to store.

    `counts_as_attempt`: False after a lock conflict, which is not a failure of the entry.
    """
    attempts_before = entry.attempts - entry.stored_as_processed
    attempts = attempts_before + counts_as_attempt
    last = attempts >= ATTEMPTS
    reason = reason[:2000].replace("\x00", "").encode("utf-8", "replace").decode()
    await session.execute(
        update(inbox)
        .where(inbox.id == entry.id)
        .values(
            status=EntryStatus.FAILED if last else EntryStatus.PENDING,
            attempts=attempts,
            error=reason,
            next_attempt_at=func.now() + func.make_interval(0, 0, 0, 0, 0, 0, BACKOFF.seconds(attempts - 1)),
            processed_at=None,
            **(columns or {}),
        )
    )
    after_commit(session, entries_total.labels(inbox.__tablename__, "failed" if last else "retried").inc)
    after_commit(
        session,
        log.error if last else log.warning,
        "inbox entry failed" if last else "inbox entry postponed",
        inbox=inbox.__tablename__,
        entry=entry.id,
        attempts=attempts,
        reason=reason[:300],
    )


class Processor:
    """Background job: processes due inbox entries, one batch per transaction. A notification of `topic` wakes it."""

    def __init__(
        self,
        sessions: async_sessionmaker[AsyncSession],
        inbox: type[InboxEntry],
        handler: Handler,
        notifier: Notifier,
        *,
        topic: str,
    ) -> None:
        self.sessions = sessions
        self.inbox = inbox
        self.handler = handler
        self.notifier = notifier
        self.wakeup = notifier.subscribe(topic)

    async def run(self, shutdown: Shutdown) -> None:
        """Process due entries until shutdown is requested. Raises if the database is unavailable."""
        clock = asyncio.get_running_loop().time
        measured_at = -MEASURE_SECONDS
        while not shutdown.requested:
            async with self.sessions.begin() as session:
                entries = await lock_due(session, self.inbox)
                topics = await process(session, self.inbox, entries, self.handler)
                if clock() - measured_at > MEASURE_SECONDS:
                    await measure(session, self.inbox)
                    measured_at = clock()
            if entries:
                self.notifier.wake_local(outbox.TOPIC)
            if topics:
                self.notifier.notify(*topics)
            if len(entries) < BATCH:
                await shutdown.wait(POLL_SECONDS, self.wakeup)
                if len(entries) > SMALL_BATCH:
                    await shutdown.wait(BATCHING_SECONDS)
