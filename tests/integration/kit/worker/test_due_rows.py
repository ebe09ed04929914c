"""Due rows: of several workers, one gets each row, until its lease ends."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select, update

from kit.worker.backoff import Backoff
from kit.worker.due_rows import take_due
from tests.fixtures.kit_messaging import Sessions
from tests.fixtures.kit_tables import Color, Task

LEASE = timedelta(minutes=1)


async def add(sessions: Sessions, *minutes_ago: float, color: Color | None = None) -> None:
    now = datetime.now(UTC)
    async with sessions.begin() as session:
        session.add_all([Task(due_at=now - timedelta(minutes=ago), color=color) for ago in minutes_ago])


async def take(sessions: Sessions, limit: int = 1, **options: Any) -> list[int]:
    statement = take_due(
        Task.id, key=Task.id, due_at=Task.due_at, attempts=Task.attempts, lease=LEASE, limit=limit, **options
    )
    async with sessions.begin() as session:
        return list((await session.execute(statement)).scalars())


async def test_two_workers_take_each_due_row_once(sessions: Sessions) -> None:
    await add(sessions, *range(1, 41))

    async def work() -> list[int]:
        taken: list[int] = []
        while rows := await take(sessions, 3):
            taken += rows
        return taken

    first, second = await asyncio.gather(work(), work())
    assert len(first) + len(second) == len({*first, *second}) == 40


async def test_a_row_locked_by_another_worker_is_skipped(sessions: Sessions) -> None:
    await add(sessions, 2, 1)
    async with sessions.begin() as other:
        longest_due = select(Task.id).order_by(Task.due_at).limit(1).with_for_update()
        locked = (await other.execute(longest_due)).scalar_one()
        async with asyncio.timeout(2):
            taken = await take(sessions, 2)
    assert len(taken) == 1
    assert locked not in taken


async def test_the_longest_due_rows_are_taken_first(sessions: Sessions) -> None:
    await add(sessions, 1, 3, 2)
    async with sessions() as session:
        expected = (await session.execute(select(Task.id).order_by(Task.due_at))).scalars().all()
    assert [row for _ in range(3) for row in await take(sessions)] == expected


async def test_rows_that_are_not_due_are_not_taken(sessions: Sessions) -> None:
    await add(sessions, -1)
    assert await take(sessions) == []


async def test_a_taken_row_is_due_again_after_its_lease(sessions: Sessions) -> None:
    await add(sessions, 1)
    (row,) = await take(sessions)
    assert await take(sessions) == []
    async with sessions.begin() as session:
        await session.execute(update(Task).values(due_at=Task.due_at - LEASE))
    assert await take(sessions) == [row]
    async with sessions() as session:
        assert (await session.execute(select(Task.attempts))).scalar_one() == 2


async def test_a_lease_column_leaves_the_due_time_unchanged(sessions: Sessions) -> None:
    await add(sessions, 1)
    async with sessions() as session:
        due_at = (await session.execute(select(Task.due_at))).scalar_one()
    (row,) = await take(sessions, leased_until=Task.leased_until)
    assert await take(sessions, leased_until=Task.leased_until) == []
    async with sessions.begin() as session:
        task = (await session.execute(select(Task))).scalar_one()
        assert task.due_at == due_at
        assert task.leased_until is not None
        assert LEASE / 2 < task.leased_until - datetime.now(UTC) <= LEASE
        await session.execute(update(Task).values(leased_until=Task.leased_until - LEASE))
    assert await take(sessions, leased_until=Task.leased_until) == [row]


async def test_a_lease_can_grow_with_the_attempts(sessions: Sessions) -> None:
    await add(sessions, 1)
    backoff = Backoff(first=60, longest=100_000, jitter=0)
    statement = take_due(
        Task.due_at, key=Task.id, due_at=Task.due_at, attempts=Task.attempts, lease=backoff.interval(Task.attempts)
    )
    for minutes in (1, 2, 4, 8):
        async with sessions.begin() as session:
            due_at = (await session.execute(statement)).scalar_one()
            assert abs(due_at - datetime.now(UTC) - timedelta(minutes=minutes)) < timedelta(seconds=30)
            await session.execute(update(Task).values(due_at=datetime.now(UTC) - timedelta(minutes=1)))


async def test_conditions_limit_the_rows(sessions: Sessions) -> None:
    await add(sessions, 1, 2, color=Color.RED)
    await add(sessions, 3, color=Color.GREEN)
    assert len(await take(sessions, 10, where=[Task.color == Color.RED])) == 2
    assert len(await take(sessions, 10)) == 1
