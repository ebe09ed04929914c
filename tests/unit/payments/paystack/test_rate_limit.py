"""Background calls keep Paystack's rate limit and leave a share of it for checkout and verification."""

import asyncio
from itertools import pairwise

import pytest

from kit.worker.shutdown import Shutdown
from services.payments.paystack.rate_limit import BUCKETS, Bucket, RateLimit
from tests.fakes.paystack import Clock
from tests.fakes.shutdown import OnClock

HEADER = "x-ratelimit-"


async def call(rate_limit: RateLimit, bucket: Bucket, shutdown: Shutdown) -> bool:
    """Make a background call: wait for it, and count it as the transport does."""
    if not await rate_limit.acquire(bucket, shutdown):
        return False
    rate_limit.count(bucket)
    return True


async def seconds_for_calls(rate_limit: RateLimit, shutdown: OnClock, count: int) -> float:
    began = shutdown.clock.now
    for _ in range(count):
        assert await call(rate_limit, "verify", shutdown)
    return shutdown.clock.now - began


@pytest.mark.parametrize(
    ("limit", "budget", "a_minute"), [(100, None, 75), (600, None, 450), (100, 30, 30), (3, None, 2.25)]
)
async def test_calls_when_many_are_made_use_three_quarters_of_the_limit_or_the_budget(
    limit: int, budget: int | None, a_minute: float
) -> None:
    clock = Clock()
    rate_limit = RateLimit(limit, budget, clock)
    assert rate_limit.per_minute("verify") == pytest.approx(a_minute)
    seconds = await seconds_for_calls(rate_limit, OnClock(clock), 300)
    assert 300 / a_minute * 60 * 0.9 - 10 < seconds < 300 / a_minute * 60 * 1.12


async def test_calls_in_any_minute_keep_their_share() -> None:
    clock = Clock()
    rate_limit, shutdown = RateLimit(100, None, clock), OnClock(clock)
    moments = []
    for number in range(400):
        await call(rate_limit, "verify", shutdown)
        moments.append(clock.now)
        clock.now += 40 if number == 200 else 0  # calls that were not made meanwhile are not saved up
    most = max(sum(1 for other in moments if began <= other < began + 60) for began in moments)
    assert most <= 82


async def test_update_when_an_answer_announces_a_limit_uses_that_limit() -> None:
    rate_limit = RateLimit(100, None, Clock())
    headers = {f"{HEADER}limit": "3000", f"{HEADER}remaining": "2999", f"{HEADER}reset": "60"}
    rate_limit.update("verify", headers)
    assert (rate_limit.per_minute("verify"), rate_limit.per_minute("other_calls")) == (2250, 75)
    rate_limit.update("other_calls", headers | {f"{HEADER}limit": "600"})
    assert (rate_limit.per_minute("verify"), rate_limit.per_minute("other_calls")) == (2250, 450)


@pytest.mark.parametrize("odd", ["", "x", "-1", "0", "1e3", "٣", "9" * 40])
async def test_update_when_headers_are_nonsense_changes_nothing(odd: str) -> None:
    rate_limit = RateLimit(100, None, Clock())
    for name in ("limit", "remaining", "reset"):
        rate_limit.update("verify", {f"{HEADER}{name}": odd})
    assert rate_limit.per_minute("verify") == 75


async def test_calls_when_only_the_reserve_is_left_wait_for_the_next_window() -> None:
    clock = Clock()
    rate_limit, shutdown = RateLimit(100, None, clock), OnClock(clock)
    rate_limit.update("verify", {f"{HEADER}limit": "100", f"{HEADER}remaining": "20", f"{HEADER}reset": "40"})
    assert await seconds_for_calls(rate_limit, shutdown, 1) >= 40


async def test_calls_when_buckets_share_a_limit_are_counted_together() -> None:
    clock = Clock()
    rate_limit, shutdown = RateLimit(600, None, clock), OnClock(clock)
    for bucket in BUCKETS:
        rate_limit.update(bucket, {f"{HEADER}limit": "100", f"{HEADER}remaining": "90", f"{HEADER}reset": "60"})
    began = clock.now
    for number in range(150):
        await call(rate_limit, "verify" if number % 2 else "other_calls", shutdown)
    assert clock.now - began > 100


async def test_calls_when_many_jobs_compete_are_made_by_all_of_them() -> None:
    clock = Clock()
    rate_limit, shutdown = RateLimit(100, None, clock), OnClock(clock)
    swept, refunds_at = 0, []

    async def sweep() -> None:
        nonlocal swept
        while swept < 200 and await call(rate_limit, "verify", shutdown):
            swept += 1

    async def refund() -> None:
        while swept < 200 and await call(rate_limit, "other_calls", shutdown):
            refunds_at.append(swept)

    await asyncio.gather(*(sweep() for _ in range(10)), refund())
    assert len(refunds_at) >= 15
    assert max(after - before for before, after in pairwise(refunds_at)) < 30


async def test_acquire_when_shutdown_is_requested_returns_false() -> None:
    clock = Clock()
    rate_limit, shutdown = RateLimit(1, None, clock), OnClock(clock)
    await call(rate_limit, "verify", shutdown)
    waiting = asyncio.create_task(call(rate_limit, "verify", shutdown))
    await asyncio.sleep(0)
    shutdown.request()
    assert await waiting is False
