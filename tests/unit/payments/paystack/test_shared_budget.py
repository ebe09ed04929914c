"""The part of a process in the shared budget: portions, calls that cannot wait, and a counter that cannot be reached."""

import asyncio

import pytest

from services.payments.paystack import shared_budget
from services.payments.paystack.rate_limit import RateLimit
from services.payments.paystack.shared_budget import Grant
from tests.fakes.paystack import Clock
from tests.fakes.shutdown import OnClock, UntilIdle
from tests.fixtures.loops import until


class FakeCounter:
    """Grants what is asked for while `left` lasts. It can be unreachable."""

    def __init__(self, left: int) -> None:
        self.left = left
        self.made = 0
        self.asked: list[int] = []
        self.paused = 0.0
        self.unreachable = False
        self.refused = 0

    async def take(
        self, limit: int, calls: int, *, made: int, per_second: float, burst: float, pause_seconds: float
    ) -> Grant:
        if self.unreachable:
            self.refused += 1
            raise ConnectionRefusedError
        self.made += made
        self.left -= made
        self.paused = max(self.paused, pause_seconds)
        self.asked.append(calls)
        granted = max(0, min(calls, self.left))
        self.left -= granted
        return Grant(granted, 1 / per_second)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_budget, "REPORT_SECONDS", 0.001)
    monkeypatch.setattr(shared_budget, "RETRY_SECONDS", 0.001)


async def make_calls(rate_limit: RateLimit, count: int) -> int:
    """Make background calls until one would have to wait. Return how many were made."""
    for made in range(count):
        if not await rate_limit.acquire("verify", UntilIdle()):
            return made
        rate_limit.count("verify")
    return count


async def test_calls_are_taken_in_portions_of_a_second() -> None:
    counter = FakeCounter(left=1_000)
    rate_limit = RateLimit(600, None, Clock(), counter)  # 7.5 calls a second
    assert await make_calls(rate_limit, 21) == 21
    assert counter.asked == [7, 7, 7]
    assert counter.made == 0, "a call that was granted is not counted again"


async def test_two_processes_together_make_no_more_calls_than_the_counter_has() -> None:
    counter = FakeCounter(left=10)
    first, second = (RateLimit(600, None, Clock(), counter) for _ in range(2))
    assert await make_calls(first, 4) + await make_calls(second, 50) <= 10
    assert await make_calls(first, 50) <= 3  # the rest of its portion


async def test_a_portion_that_is_not_used_expires() -> None:
    counter, clock = FakeCounter(left=1_000), Clock()
    rate_limit = RateLimit(600, None, clock, counter)
    assert await make_calls(rate_limit, 1) == 1
    clock.now += 60
    assert await make_calls(rate_limit, 1) == 1
    assert counter.asked == [7, 7]


async def test_calls_that_cannot_wait_are_made_at_once_and_counted_afterwards() -> None:
    counter = FakeCounter(left=0)
    rate_limit = RateLimit(600, None, Clock(), counter)
    for _ in range(30):
        rate_limit.count("charge")
    assert counter.made == 0
    await until(lambda: asyncio.sleep(0, counter.made == 30))
    assert len(counter.asked) < 30, "they are counted together"


async def test_calls_that_are_not_counted_yet_are_counted_when_the_client_closes() -> None:
    counter = FakeCounter(left=0)
    rate_limit = RateLimit(600, None, Clock(), counter)
    rate_limit.count("charge")
    await rate_limit.close()
    assert counter.made == 1


async def test_a_refusal_of_paystack_pauses_all_processes() -> None:
    counter = FakeCounter(left=100)
    rate_limit = RateLimit(600, None, Clock(), counter)
    rate_limit.exhaust("verify", 42)
    await until(lambda: asyncio.sleep(0, counter.paused == 42))


async def test_while_the_counter_is_unreachable_background_calls_wait_and_the_others_do_not() -> None:
    counter, clock = FakeCounter(left=100), Clock()
    rate_limit, shutdown = RateLimit(600, None, clock, counter), OnClock(clock)
    counter.unreachable = True
    assert await make_calls(rate_limit, 1) == 0
    for _ in range(10_000):
        rate_limit.count("charge")  # returns at once and raises nothing
    waiting = asyncio.create_task(rate_limit.acquire("verify", shutdown))
    refused = counter.refused
    await until(lambda: asyncio.sleep(0, counter.refused > refused + 3))
    assert not waiting.done()
    counter.left = 1_000
    counter.unreachable = False
    assert await asyncio.wait_for(waiting, 5)
    await until(lambda: asyncio.sleep(0, counter.made > 0))
    assert counter.made <= 600, "calls of more than a minute do not matter any more"


async def test_a_configured_budget_is_limited_when_paystack_reports_its_limit() -> None:
    """The limit that was assumed and the reported one are the same, and so is the shared budget: its rate must become lower."""
    counter, clock = FakeCounter(left=1_000_000), Clock()
    rate_limit = RateLimit(100, 6_000, clock, counter)
    assert await make_calls(rate_limit, 100) == 100
    assert counter.asked == [100]
    rate_limit.update("verify", {"x-ratelimit-limit": "100"})
    clock.now += 60
    assert await make_calls(rate_limit, 1) == 1
    assert counter.asked[-1] == 1, "75 calls a minute: a portion of a second is one call"
