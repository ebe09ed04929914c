"""The inbox: an entry takes effect once, is retried until then, and fails after the last attempt."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession

from kit.messaging import inbox, processor
from kit.messaging.inbox import BATCH, RETENTION, Entry, Message
from kit.messaging.notifier import Notifier
from kit.messaging.processor import ATTEMPTS, BatchResult, Processor
from kit.observability.tracing import new_traceparent
from tests.fixtures.kit_messaging import Sessions
from tests.fixtures.kit_tables import Effect, Inbox
from tests.fixtures.loops import living, until


def message(key: object, body: bytes = b"{}", traceparent: str | None = None) -> Message:
    return Message(str(key), body, {"traceparent": traceparent})


async def work(session: AsyncSession, entries: Sequence[Entry]) -> BatchResult:
    """Write an effect for each entry, and fail as the body orders."""
    for entry in entries:
        await session.execute(insert(Effect).values(of=entry.key))
        if entry.body == b"raise":
            raise RuntimeError("no\x00t today \ud800")
        if entry.body == b"constraint":
            await session.execute(text("INSERT INTO inbox (key, body, status) VALUES ('x', 'x', 'nonsense')"))
        if entry.body == b"syntax":
            await session.execute(text("SELEC"))
        if entry.body == b"away":
            raise ConnectionRefusedError
    return BatchResult({entry.id: "cannot be read" for entry in entries if entry.body == b"failed"})


async def store(sessions: Sessions, *messages: Message) -> list[Entry]:
    async with sessions.begin() as session:
        return await inbox.store(session, Inbox, messages)


async def process(sessions: Sessions) -> int:
    async with sessions.begin() as session:
        entries = await inbox.lock_due(session, Inbox)
        await processor.process(session, Inbox, entries, work)
    return len(entries)


async def entries(sessions: Sessions) -> list[Inbox]:
    async with sessions() as session:
        return list((await session.execute(select(Inbox).order_by(Inbox.id))).scalars())


async def effects(sessions: Sessions) -> list[str]:
    async with sessions() as session:
        return list((await session.execute(select(Effect.of).order_by(Effect.id))).scalars())


async def make_due(sessions: Sessions) -> None:
    async with sessions.begin() as session:
        await session.execute(update(Inbox).values(next_attempt_at=text("now()")))


async def test_store_returns_only_unknown_messages(sessions: Sessions) -> None:
    first = await store(sessions, message(1), message(2), message(2))
    again = await store(sessions, message(2), message(3))
    assert [entry.key for entry in first] == ["1", "2"]
    assert [entry.key for entry in again] == ["3"]
    assert await store(sessions) == []


async def test_concurrent_stores_return_each_message_once(sessions: Sessions) -> None:
    stored = await asyncio.gather(*(store(sessions, *(message(n) for n in range(50))) for _ in range(8)))
    assert sorted(entry.key for entries in stored for entry in entries) == sorted(str(n) for n in range(50))


async def test_processing_commits_effects_and_status_together(sessions: Sessions) -> None:
    await store(sessions, message(1), message(2))
    assert await process(sessions) == 2
    assert await process(sessions) == 0
    assert await effects(sessions) == ["1", "2"]
    assert [(entry.status, entry.attempts, entry.error) for entry in await entries(sessions)] == [
        ("processed", 1, None)
    ] * 2
    assert all(entry.processed_at for entry in await entries(sessions))


@pytest.mark.parametrize("bad", [b"raise", b"constraint", b"syntax"])
async def test_a_failing_entry_does_not_delay_the_others(sessions: Sessions, bad: bytes) -> None:
    await store(sessions, *(message(n, bad if n == 3 else b"{}") for n in range(6)))
    await process(sessions)
    assert await effects(sessions) == ["0", "1", "2", "4", "5"]
    waiting = [entry for entry in await entries(sessions) if entry.status != "processed"]
    assert [(entry.key, entry.status, entry.attempts) for entry in waiting] == [("3", "pending", 1)]
    assert waiting[0].error
    assert waiting[0].next_attempt_at > datetime.now(UTC)


async def test_an_unreadable_entry_fails_without_retries(sessions: Sessions) -> None:
    await store(sessions, message(1), message(2, b"failed"))
    await process(sessions)
    assert [(entry.status, entry.error) for entry in await entries(sessions)] == [
        ("processed", None),
        ("failed", "cannot be read"),
    ]


async def test_retries_back_off_until_the_entry_fails(sessions: Sessions) -> None:
    await store(sessions, message(1, b"raise"))
    pauses = []
    for attempt in range(1, ATTEMPTS + 1):
        await make_due(sessions)
        before = datetime.now(UTC)
        assert await process(sessions) == 1
        (entry,) = await entries(sessions)
        assert entry.attempts == attempt
        assert entry.status == ("failed" if attempt == ATTEMPTS else "pending")
        assert entry.error == "RuntimeError: not today ?"
        pauses.append((entry.next_attempt_at - before).total_seconds())
    assert 1 < pauses[0] < 4
    assert pauses[5] > pauses[0]
    assert pauses[-1] <= processor.BACKOFF.longest + 5
    await make_due(sessions)
    assert await process(sessions) == 0
    assert await effects(sessions) == []


async def test_a_reprocessed_entry_takes_effect(sessions: Sessions) -> None:
    await store(sessions, message(1, b"raise"))
    await process(sessions)
    async with sessions.begin() as session:
        await session.execute(update(Inbox).values(body=b"{}", status="pending", next_attempt_at=text("now()")))
    await process(sessions)
    assert [(entry.status, entry.attempts, entry.error) for entry in await entries(sessions)] == [
        ("processed", 2, None)
    ]


async def test_an_unavailable_database_uses_no_attempt(sessions: Sessions) -> None:
    await store(sessions, message(1), message(2, b"away"))
    with pytest.raises(ConnectionRefusedError):
        await process(sessions)
    assert [(entry.status, entry.attempts) for entry in await entries(sessions)] == [("pending", 0)] * 2
    assert await effects(sessions) == []


async def test_several_workers_process_each_entry_once(sessions: Sessions) -> None:
    await store(sessions, *(message(n) for n in range(300)))
    counts = await asyncio.gather(*(process(sessions) for _ in range(4)))
    assert sum(counts) == 300
    assert sorted(await effects(sessions)) == sorted(str(n) for n in range(300))


async def test_the_processor_processes_stored_and_new_entries(sessions: Sessions, notifier: Notifier) -> None:
    await store(sessions, *(message(n) for n in range(2 * BATCH + 50)))
    relay_wakeup = notifier.subscribe("outbox")
    retrier = Processor(sessions, Inbox, work, notifier, topic="inbox")

    async def all_done() -> bool:
        return all(entry.status == "processed" for entry in await entries(sessions))

    async with living(retrier.run):
        await until(all_done)
        assert relay_wakeup.is_set()
        await store(sessions, message("late"))
        notifier.wake("inbox")
        await until(all_done)
    assert len(await effects(sessions)) == 2 * BATCH + 51


async def test_prune_deletes_only_old_processed_entries(sessions: Sessions) -> None:
    await store(sessions, message(1), message(2, b"failed"), message(3, b"raise"), message(4))
    await process(sessions)
    async with sessions.begin() as session:
        assert await inbox.prune(session, Inbox) == 0
        old = update(Inbox).where(Inbox.key != "4")
        await session.execute(old.values(received_at=func.now() - RETENTION - timedelta(days=1)))
    async with sessions.begin() as session:
        assert await inbox.prune(session, Inbox) == 1
    assert [entry.key for entry in await entries(sessions)] == ["2", "3", "4"]


async def test_measure_counts_pending_and_failed_entries(sessions: Sessions) -> None:
    await store(sessions, message(1), message(2, b"failed"), message(3, b"raise"))
    await process(sessions)
    async with sessions.begin() as session:
        await inbox.measure(session, Inbox)
    measured = {
        status: inbox.unprocessed_entries.labels("inbox", status)._value.get() for status in ("pending", "failed")
    }
    assert measured == {"pending": 1, "failed": 1}


async def test_prune_reads_only_the_oldest_entries(sessions: Sessions, engine: AsyncEngine) -> None:
    """In a table that is older than RETENTION, where new entries use the space of old ones."""
    fill = text(
        "INSERT INTO inbox (key, body, status, received_at)"
        " SELECT :name || n, repeat('x', 200)::bytea, 'processed', now() - make_interval(days => :days)"
        " FROM generate_series(1, 20000) n"
    )
    async with sessions.begin() as session:
        await session.execute(fill, {"name": "old", "days": 31})
    async with sessions.begin() as session:
        assert await inbox.prune(session, Inbox, 20_000) == 20_000
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text("VACUUM inbox"))
    async with sessions.begin() as session:
        await session.execute(fill, {"name": "new", "days": 0})
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text("VACUUM ANALYZE inbox"))
        plan = await _explained(connection, lambda session: inbox.prune(session, Inbox, 100))
    assert "Index Scan using pk_inbox" in plan
    assert "Seq Scan" not in plan
    assert max(int(n) for n in re.findall(r"Rows Removed by [A-Za-z ]+: (\d+)", plan)) <= 100, plan


async def test_lock_due_reads_only_pending_entries(engine: AsyncEngine, sessions: Sessions) -> None:
    """Even if the statistics say that many entries are pending, as after an outage: they are updated only when the table has grown."""
    fill = text(
        "INSERT INTO inbox (key, body, status) SELECT :status || n, '{}', :status FROM generate_series(1, 20000) AS n"
    )
    async with sessions.begin() as session:
        for status in ("processed", "pending"):
            await session.execute(fill, {"status": status})
        await session.execute(text("ANALYZE inbox"))
        await session.execute(update(Inbox).values(status="processed"))
    async with engine.connect() as connection:
        plan = await _explained(connection, lambda session: inbox.lock_due(session, Inbox))
    assert "ix_inbox_next_attempt_at" in plan
    assert "Rows Removed by Filter" not in plan, plan


async def _explained(connection: AsyncConnection, work: Callable[[AsyncSession], Awaitable[object]]) -> str:
    """Return the plan of the one statement that `work` executes."""
    statements: list[tuple[str, Any]] = []

    def listen(_c: object, _x: object, statement: str, parameters: Any, *_: object) -> None:
        statements.append((statement, parameters))

    event.listen(connection.sync_connection, "before_cursor_execute", listen)
    await work(AsyncSession(connection))
    ((statement, parameters),) = statements
    rows = await connection.exec_driver_sql(f"EXPLAIN (ANALYZE, BUFFERS) {statement}", parameters)
    return "\n".join(row[0] for row in rows)


async def test_log_lines_about_a_failed_entry_carry_the_trace_of_its_message(
    sessions: Sessions, json_logs: pytest.CaptureFixture[str]
) -> None:
    traces = [new_traceparent() for _ in range(3)]
    bodies = (b"{}", b"failed", b"raise")
    await store(sessions, *(message(body, body, trace) for body, trace in zip(bodies, traces, strict=True)))
    await process(sessions)
    lines = [json.loads(line) for line in json_logs.readouterr().out.splitlines()]
    assert {line["event"]: line["trace_id"] for line in lines} == {
        "entry failed": traces[1][3:35],
        "entry postponed": traces[2][3:35],
    }


async def test_the_processor_notifies_the_topics_that_its_handler_names(sessions: Sessions, notifier: Notifier) -> None:
    async def handle(session: AsyncSession, entries: Sequence[Entry]) -> BatchResult:
        result = await work(session, entries)
        return BatchResult(result.failed, wake=frozenset({"refunds"}))

    refunds, disputes = notifier.subscribe("refunds"), notifier.subscribe("disputes")
    await store(sessions, message(1), message(2, b"raise"))
    async with living(Processor(sessions, Inbox, handle, notifier, topic="inbox").run), asyncio.timeout(10):
        await refunds.wait()
    assert await effects(sessions) == ["1"]
    assert not disputes.is_set()
    await notifier.flush()
