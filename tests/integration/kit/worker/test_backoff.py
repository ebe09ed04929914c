"""Pauses that are computed in SQL."""

from datetime import timedelta

import pytest
from sqlalchemy import insert, select

from kit.worker.backoff import Backoff
from tests.fixtures.kit_messaging import Sessions
from tests.fixtures.kit_tables import Task


@pytest.mark.parametrize("attempts", [-3, 0, 1, 5, 60, 10**6])
async def test_an_interval_is_as_long_as_the_pause_in_python(sessions: Sessions, attempts: int) -> None:
    exact, varied = Backoff(2.0, 600.0, jitter=0), Backoff(2.0, 600.0, jitter=0.2)
    async with sessions.begin() as session:
        await session.execute(insert(Task).values(attempts=attempts))
        row = (await session.execute(select(exact.interval(Task.attempts), varied.interval(Task.attempts)))).one()
    assert row[0] == timedelta(seconds=exact.seconds(attempts))
    assert timedelta(seconds=1.5) < row[1] <= timedelta(seconds=600)
