"""A worker's loops: started again when they fail, ended in order, woken by their bells."""

import asyncio
import time

import pytest

from kit import worker
from kit.worker import Life
from tests.loops import living, until


@pytest.fixture(autouse=True)
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "FIRST_PAUSE", 0.01)


async def test_a_loop_that_fails_is_started_again() -> None:
    lives = 0

    async def failing(life: Life) -> None:
        nonlocal lives
        lives += 1
        if lives < 4:
            raise ConnectionRefusedError
        await life.until_over()

    async def alive() -> bool:
        return lives == 4

    async with living(failing):
        await until(alive)
        assert worker.loop_failures.labels("0")._value.get() >= 3


async def test_a_loop_that_fails_does_not_disturb_another() -> None:
    worked = asyncio.Event()

    async def failing(_: Life) -> None:
        raise RuntimeError

    async def working(life: Life) -> None:
        await life.wait(0.05)
        worked.set()
        await life.until_over()

    async with living(failing, working), asyncio.timeout(5):
        await worked.wait()


async def test_a_wait_ends_with_the_bell_the_end_or_the_time() -> None:
    life, bell = Life(), asyncio.Event()
    began = time.monotonic()
    await life.wait(0.01)
    bell.set()
    await life.wait(60, bell)
    assert not bell.is_set()
    asyncio.get_running_loop().call_later(0.01, life.end)
    await life.wait(60, bell)
    assert life.over
    await life.wait(60)
    assert time.monotonic() - began < 5


async def test_a_bell_that_rings_while_nobody_waits_is_not_lost() -> None:
    life, bell = Life(), asyncio.Event()
    bell.set()
    async with asyncio.timeout(1):
        await life.wait(60, bell)
