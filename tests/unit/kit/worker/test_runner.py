"""Background jobs are restarted when they fail."""

import asyncio

import pytest

from kit.worker import runner
from kit.worker.backoff import Backoff
from kit.worker.shutdown import Shutdown
from tests.fixtures.loops import living, until


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "RESTART_BACKOFF", Backoff(first=0.01, longest=0.1))


async def test_a_job_that_fails_is_restarted() -> None:
    starts = 0

    async def failing(shutdown: Shutdown) -> None:
        nonlocal starts
        starts += 1
        if starts < 4:
            raise ConnectionRefusedError
        await shutdown.wait_requested()

    async def restarted() -> bool:
        return starts == 4

    async with living(failing):
        await until(restarted)
        assert runner.job_failures.labels("0")._value.get() >= 3


async def test_a_job_that_fails_does_not_affect_another() -> None:
    failed, worked = asyncio.Event(), asyncio.Event()

    async def failing(_: Shutdown) -> None:
        failed.set()
        raise RuntimeError

    async def working(shutdown: Shutdown) -> None:
        await failed.wait()
        worked.set()
        await shutdown.wait_requested()

    async with living(failing, working), asyncio.timeout(5):
        await worked.wait()
