"""A worker's loops: started again when they fail, ended in order, woken by their bells."""

import asyncio
import time

import pytest

from kit.worker import runner
from kit.worker.backoff import Backoff
from kit.worker.shutdown import Shutdown
from tests.loops import living, until


@pytest.fixture(autouse=True)
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "RESTART_BACKOFF", Backoff(first=0.01, longest=0.1))


async def test_a_loop_that_fails_is_started_again() -> None:
    lives = 0

    async def failing(shutdown: Shutdown) -> None:
        nonlocal lives
        lives += 1
        if lives < 4:
            raise ConnectionRefusedError
        await shutdown.wait_requested()

    async def alive() -> bool:
        return lives == 4

    async with living(failing):
        await until(alive)
        assert runner.job_failures.labels("0")._value.get() >= 3


async def test_a_loop_that_fails_does_not_disturb_another() -> None:
    worked = asyncio.Event()

    async def failing(_: Shutdown) -> None:
        raise RuntimeError

    async def working(shutdown: Shutdown) -> None:
        await shutdown.wait(0.05)
        worked.set()
        await shutdown.wait_requested()

    async with living(failing, working), asyncio.timeout(5):
        await worked.wait()


async def test_a_wait_ends_with_the_bell_the_end_or_the_time() -> None:
    shutdown, bell = Shutdown(), asyncio.Event()
    began = time.monotonic()
    await shutdown.wait(0.01)
    bell.set()
    await shutdown.wait(60, bell)
    assert not bell.is_set()
    asyncio.get_running_loop().call_later(0.01, shutdown.request)
    await shutdown.wait(60, bell)
    assert shutdown.requested
    await shutdown.wait(60)
    assert time.monotonic() - began < 5


async def test_a_bell_that_rings_while_nobody_waits_is_not_lost() -> None:
    shutdown, bell = Shutdown(), asyncio.Event()
    bell.set()
    async with asyncio.timeout(1):
        await shutdown.wait(60, bell)
