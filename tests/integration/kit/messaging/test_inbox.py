"""The inbox table: messages are stored once, found when they are due, and pruned."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import event, func, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession

from kit.messaging import inbox
from kit.messaging.inbox import RETENTION
from tests.fixtures.kit_inbox import entries, message, process, store
from tests.fixtures.kit_messaging import Sessions
from tests.fixtures.kit_tables import Inbox
from tests.fixtures.metrics import metric


async def test_store_returns_only_unknown_messages(sessions: Sessions) -> None:
    first = await store(sessions, message(1), message(2), message(2))
    again = await store(sessions, message(2), message(3))
    assert [entry.key for entry in first] == ["1", "2"]
    assert [entry.key for entry in again] == ["3"]
    assert await store(sessions) == []


async def test_concurrent_stores_return_each_message_once(sessions: Sessions) -> None:
    stored = await asyncio.gather(*(store(sessions, *(message(n) for n in range(50))) for _ in range(8)))
    assert sorted(entry.key for entries in stored for entry in entries) == sorted(str(n) for n in range(50))


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


async def test_prune_skips_entries_that_another_worker_is_deleting(sessions: Sessions) -> None:
    await store(sessions, *(message(number) for number in range(20)))
    await process(sessions)
    async with sessions.begin() as session:
        await session.execute(update(Inbox).values(received_at=func.now() - RETENTION - timedelta(days=1)))
    async with sessions.begin() as first, sessions.begin() as second:
        assert [await inbox.prune(one, Inbox, 10) for one in (first, second)] == [10, 10]
    assert await entries(sessions) == []


async def test_measure_counts_pending_and_failed_entries(sessions: Sessions) -> None:
    await store(sessions, message(1), message(2, b"failed"), message(3, b"raise"))
    await process(sessions)
    async with sessions.begin() as session:
        await inbox.measure(session, Inbox)
    name = "inbox_unprocessed_entries"
    measured = {status: metric(name, inbox="inbox", status=status) for status in ("pending", "failed")}
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
    """Even if the statistics, perhaps outdated, say that many entries are pending, as after an outage."""
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


async def test_store_makes_known_messages_due_unless_they_are_processed(sessions: Sessions) -> None:
    await store(sessions, message(1), message(2, b"failed"), message(3, b"raise"))
    await process(sessions)
    async with sessions.begin() as session:
        await session.execute(update(Inbox).where(Inbox.key == "3").values(next_attempt_at=func.now() + timedelta(1)))
    assert await store(sessions, message(1), message(2, b"failed"), message(3, b"raise")) == []
    found = {entry.key: entry for entry in await entries(sessions)}
    assert [found[key].status for key in "123"] == ["processed", "pending", "pending"]
    assert [found[key].attempts for key in "123"] == [1, 0, 1]
    async with sessions.begin() as session:
        assert {entry.key for entry in await inbox.lock_due(session, Inbox)} == {"2", "3"}
