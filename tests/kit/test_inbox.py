"""The inbox: once, all or nothing, again until it has worked, and a person in the end."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession

from kit.messaging import inbox, processor
from kit.messaging.inbox import BATCH, RETENTION, Entry
from kit.messaging.notifier import Notifier
from kit.messaging.processor import ATTEMPTS, BatchResult, Processor
from tests.kit.conftest import Sessions
from tests.kit.tables import Effect, Inbox
from tests.loops import living, until


def row(key: object, body: bytes = b"{}") -> dict[str, Any]:
    return {"key": str(key), "body": body, "headers": {}}


async def work(session: AsyncSession, entries: Sequence[Entry]) -> BatchResult:
    """An effect for each; bodies say what goes wrong."""
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


async def receive(sessions: Sessions, *rows: dict[str, Any]) -> list[Entry]:
    async with sessions.begin() as session:
        return await inbox.store(session, Inbox, rows)


async def settle(sessions: Sessions) -> int:
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


async def test_what_is_known_is_not_claimed_again(sessions: Sessions) -> None:
    first = await receive(sessions, row(1), row(2), row(2))
    again = await receive(sessions, row(2), row(3))
    assert [entry.key for entry in first] == ["1", "2"]
    assert [entry.key for entry in again] == ["3"]
    assert await receive(sessions) == []


async def test_two_claims_at_once(sessions: Sessions) -> None:
    claims = await asyncio.gather(*(receive(sessions, *(row(n) for n in range(50))) for _ in range(8)))
    assert sorted(entry.key for claim in claims for entry in claim) == sorted(str(n) for n in range(50))


async def test_effect_and_end_are_one(sessions: Sessions) -> None:
    await receive(sessions, row(1), row(2))
    assert await settle(sessions) == 2
    assert await settle(sessions) == 0
    assert await effects(sessions) == ["1", "2"]
    assert [(entry.status, entry.attempts, entry.error) for entry in await entries(sessions)] == [
        ("processed", 1, None)
    ] * 2
    assert all(entry.processed_at for entry in await entries(sessions))


@pytest.mark.parametrize("bad", [b"raise", b"constraint", b"syntax"])
async def test_one_bad_entry_holds_back_no_other(sessions: Sessions, bad: bytes) -> None:
    await receive(sessions, *(row(n, bad if n == 3 else b"{}") for n in range(6)))
    await settle(sessions)
    assert await effects(sessions) == ["0", "1", "2", "4", "5"]
    waiting = [entry for entry in await entries(sessions) if entry.status != "processed"]
    assert [(entry.key, entry.status, entry.attempts) for entry in waiting] == [("3", "pending", 1)]
    assert waiting[0].error
    assert waiting[0].next_attempt_at > datetime.now(UTC)


async def test_the_hopeless_wait_for_a_person_at_once(sessions: Sessions) -> None:
    await receive(sessions, row(1), row(2, b"failed"))
    await settle(sessions)
    assert [(entry.status, entry.error) for entry in await entries(sessions)] == [
        ("processed", None),
        ("failed", "cannot be read"),
    ]


async def test_ever_later_and_then_a_person(sessions: Sessions) -> None:
    await receive(sessions, row(1, b"raise"))
    pauses = []
    for attempt in range(1, ATTEMPTS + 1):
        await make_due(sessions)
        before = datetime.now(UTC)
        assert await settle(sessions) == 1
        (entry,) = await entries(sessions)
        assert entry.attempts == attempt
        assert entry.status == ("failed" if attempt == ATTEMPTS else "pending")
        assert entry.error == "RuntimeError: not today ?"
        pauses.append((entry.next_attempt_at - before).total_seconds())
    assert 1 < pauses[0] < 4
    assert pauses[5] > pauses[0]
    assert pauses[-1] <= processor.BACKOFF.longest + 5
    await make_due(sessions)
    assert await settle(sessions) == 0
    assert await effects(sessions) == []


async def test_what_has_waited_can_be_replayed(sessions: Sessions) -> None:
    await receive(sessions, row(1, b"raise"))
    await settle(sessions)
    async with sessions.begin() as session:
        await session.execute(update(Inbox).values(body=b"{}", status="pending", next_attempt_at=text("now()")))
    await settle(sessions)
    assert [(entry.status, entry.attempts, entry.error) for entry in await entries(sessions)] == [
        ("processed", 2, None)
    ]


async def test_a_database_that_is_away_costs_nothing(sessions: Sessions) -> None:
    await receive(sessions, row(1), row(2, b"away"))
    with pytest.raises(ConnectionRefusedError):
        await settle(sessions)
    assert [(entry.status, entry.attempts) for entry in await entries(sessions)] == [("pending", 0)] * 2
    assert await effects(sessions) == []


async def test_two_workers_share_the_work(sessions: Sessions) -> None:
    await receive(sessions, *(row(n) for n in range(300)))
    counts = await asyncio.gather(*(settle(sessions) for _ in range(4)))
    assert sum(counts) == 300
    assert sorted(await effects(sessions)) == sorted(str(n) for n in range(300))


async def test_the_loop_takes_what_is_there_and_what_comes(sessions: Sessions, notifier: Notifier) -> None:
    await receive(sessions, *(row(n) for n in range(2 * BATCH + 50)))
    relay_wakeup = notifier.subscribe("outbox")
    settler = Processor(sessions, Inbox, work, notifier, topic="inbox")

    async def all_done() -> bool:
        return all(entry.status == "processed" for entry in await entries(sessions))

    async with living(settler.run):
        await until(all_done)
        assert relay_wakeup.is_set()
        await receive(sessions, row("late"))
        notifier.wake("inbox")
        await until(all_done)
    assert len(await effects(sessions)) == 2 * BATCH + 51


async def test_only_what_is_done_and_old_is_forgotten(sessions: Sessions) -> None:
    await receive(sessions, row(1), row(2, b"failed"), row(3, b"raise"), row(4))
    await settle(sessions)
    async with sessions.begin() as session:
        assert await inbox.prune(session, Inbox) == 0
        old = update(Inbox).where(Inbox.key != "4")
        await session.execute(old.values(received_at=func.now() - RETENTION - timedelta(days=1)))
    async with sessions.begin() as session:
        assert await inbox.prune(session, Inbox) == 1
    assert [entry.key for entry in await entries(sessions)] == ["2", "3", "4"]


async def test_what_waits_is_measured(sessions: Sessions) -> None:
    await receive(sessions, row(1), row(2, b"failed"), row(3, b"raise"))
    await settle(sessions)
    async with sessions.begin() as session:
        await inbox.measure(session, Inbox)
    measured = {
        status: inbox.unprocessed_entries.labels("inbox", status)._value.get() for status in ("pending", "failed")
    }
    assert measured == {"pending": 1, "failed": 1}


async def test_forgetting_finds_the_oldest_without_looking_at_the_rest(sessions: Sessions, engine: AsyncEngine) -> None:
    """In a table that has been in use for longer than KEPT: what came lately stands where older entries stood."""
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


async def test_what_is_due_is_found_among_all_that_was_done(engine: AsyncEngine, sessions: Sessions) -> None:
    """Also when the planner believes that many wait still, as after an outage: nobody counts again before the table has grown."""
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
    """How Postgres carries out the one statement of this."""
    said: list[tuple[str, Any]] = []

    def listen(_c: object, _x: object, statement: str, parameters: Any, *_: object) -> None:
        said.append((statement, parameters))

    event.listen(connection.sync_connection, "before_cursor_execute", listen)
    await work(AsyncSession(connection))
    ((statement, parameters),) = said
    rows = await connection.exec_driver_sql(f"EXPLAIN (ANALYZE, BUFFERS) {statement}", parameters)
    return "\n".join(row[0] for row in rows)
