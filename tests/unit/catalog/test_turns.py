"""Requests take turns, and every wait is bounded."""

import asyncio

import pytest

from kit.errors import Unavailable
from kit.http.rate_limit import TooManyRequests
from services.catalog import turns
from services.catalog.turns import TurnQueue


class Work:
    """Requests that end when the test says so. `running`: the accounts whose requests are worked on now."""

    def __init__(self, queue: TurnQueue) -> None:
        self.queue = queue
        self.running: list[str] = []
        self.may_end = asyncio.Event()

    def start(self, account: str) -> "asyncio.Task[None]":
        return asyncio.create_task(self._run(account))

    async def _run(self, account: str) -> None:
        async with self.queue.turn(account):
            self.running.append(account)
            await self.may_end.wait()
            self.running.remove(account)


async def settle() -> None:
    """Let every task run until it waits."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_requests_of_one_account_when_many_wait_then_another_account_is_served_at_once() -> None:
    work = Work(TurnQueue(places=3))
    tasks = [work.start("a") for _ in range(50)]
    await settle()
    tasks.append(work.start("b"))
    await settle()
    assert work.running == ["a", "b"]
    work.may_end.set()
    await asyncio.gather(*tasks)


async def test_requests_of_many_accounts_when_all_places_are_taken_then_they_wait_in_their_sequence() -> None:
    work = Work(TurnQueue(places=2))
    tasks = [work.start(account) for account in "abcd"]
    await settle()
    assert work.running == ["a", "b"]
    tasks[2].cancel()  # a client that has gone
    work.may_end.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert [task.cancelled() for task in tasks] == [False, False, True, False]
    assert work.running == []


async def test_request_when_it_waits_too_long_then_unavailable_and_the_next_one_is_served() -> None:
    work = Work(TurnQueue(places=1, seconds=0.01))
    first = work.start("a")
    await settle()
    for account in ("a", "b"):
        with pytest.raises(Unavailable):
            await work.start(account)
    work.may_end.set()
    await first
    await work.start("b")


async def test_request_when_too_many_wait_then_it_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "MAX_PER_ACCOUNT", 3)
    monkeypatch.setattr(turns, "MAX_REQUESTS", 4)
    work = Work(TurnQueue(places=1))
    tasks = [work.start("a") for _ in range(3)]
    await settle()
    with pytest.raises(TooManyRequests):
        await work.start("a")
    tasks.append(work.start("b"))
    await settle()
    with pytest.raises(Unavailable):
        await work.start("c")
    work.may_end.set()
    await asyncio.gather(*tasks)
    await work.start("c")
