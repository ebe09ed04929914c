"""Counts that stop at a limit."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from kit.db.counting import count_and_oldest_age, count_up_to
from tests.fixtures.kit_messaging import Sessions
from tests.fixtures.kit_tables import Task


async def test_count_up_to_stops_at_the_limit(sessions: Sessions) -> None:
    async with sessions.begin() as session:
        session.add_all([Task() for _ in range(5)])
        await session.flush()
        assert [await count_up_to(session, select(Task.id), limit) for limit in (3, 5, 10)] == [3, 5, 5]
        assert await count_up_to(session, select(Task.id)) == 5


async def test_count_and_oldest_age_of_no_rows_are_zero(sessions: Sessions) -> None:
    async with sessions() as session:
        assert await count_and_oldest_age(session, select(Task.id), Task.due_at) == (0, 0.0)


async def test_the_oldest_age_is_that_of_the_oldest_counted_row(sessions: Sessions) -> None:
    now = datetime.now(UTC)
    async with sessions.begin() as session:
        session.add_all([Task(due_at=now - timedelta(minutes=minutes)) for minutes in (1, 3, 2)])
        await session.flush()
        count, age = await count_and_oldest_age(session, select(Task.id).order_by(Task.id), Task.due_at)
        assert count == 3
        assert 175 < age < 240
        count, age = await count_and_oldest_age(session, select(Task.id).order_by(Task.id), Task.due_at, limit=1)
        assert count == 1
        assert 55 < age < 120
