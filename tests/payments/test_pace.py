"""What can wait keeps Paystack's limits, leaves a share for those who pay now, and leaves Paystack alone while it does not answer."""

import asyncio
from itertools import pairwise

import httpx
import pytest

from kit.worker.shutdown import Shutdown
from services.payments.paystack.circuit_breaker import FAILURES, CircuitBreaker, circuit_open, key_rejected
from services.payments.paystack.errors import KeyRejected, NoAnswer, Refused
from services.payments.paystack.rate_limit import BUCKETS, Bucket, RateLimit
from tests.payments.played import Clock, Hurried, Limited, ok

ON = "x-ratelimit-"


async def turn(rate_limit: RateLimit, bucket: Bucket, shutdown: Shutdown) -> bool:
    """A call that waits for its turn and is counted, as the transport counts it."""
    if not await rate_limit.acquire(bucket, shutdown):
        return False
    rate_limit.count(bucket)
    return True


async def turns(pace: RateLimit, shutdown: Hurried, count: int) -> float:
    """The seconds that so many turns take."""
    began = shutdown.clock.now
    for _ in range(count):
        assert await turn(pace, "verify", shutdown)
    return shutdown.clock.now - began


@pytest.mark.parametrize(
    ("limit", "budget", "a_minute"), [(100, None, 75), (600, None, 450), (100, 30, 30), (3, None, 2.25)]
)
async def test_three_quarters_of_the_limit_or_the_budget(limit: int, budget: int | None, a_minute: float) -> None:
    clock = Clock()
    pace = RateLimit(limit, budget, clock)
    assert pace.per_minute("verify") == pytest.approx(a_minute)
    seconds = await turns(pace, Hurried(clock), 300)
    assert 300 / a_minute * 60 * 0.9 - 10 < seconds < 300 / a_minute * 60 * 1.12


async def test_no_minute_has_more_than_its_share() -> None:
    clock = Clock()
    pace, shutdown = RateLimit(100, None, clock), Hurried(clock)
    moments = []
    for number in range(400):
        await turn(pace, "verify", shutdown)
        moments.append(clock.now)
        clock.now += 40 if number == 200 else 0  # idle for a while: nothing is saved up
    most = max(sum(1 for other in moments if began <= other < began + 60) for began in moments)
    assert most <= 82


async def test_what_an_answer_tells_is_the_limit() -> None:
    clock = Clock()
    pace = RateLimit(100, None, clock)
    told = {f"{ON}limit": "3000", f"{ON}remaining": "2999", f"{ON}reset": "60"}
    pace.update("verify", told)
    assert (pace.per_minute("verify"), pace.per_minute("others")) == (2250, 75)
    pace.update("others", told | {f"{ON}limit": "600"})
    assert (pace.per_minute("verify"), pace.per_minute("others")) == (2250, 450)


@pytest.mark.parametrize("odd", ["", "x", "-1", "0", "1e3", "٣", "9" * 40])
async def test_odd_headers_change_nothing(odd: str) -> None:
    pace = RateLimit(100, None, Clock())
    for name in ("limit", "remaining", "reset"):
        pace.update("verify", {f"{ON}{name}": odd})
    assert pace.per_minute("verify") == 75


async def test_a_fifth_is_left_for_whoever_pays_now() -> None:
    clock = Clock()
    pace, shutdown = RateLimit(100, None, clock), Hurried(clock)
    pace.update("verify", {f"{ON}limit": "100", f"{ON}remaining": "20", f"{ON}reset": "40"})
    assert await turns(pace, shutdown, 1) >= 40


async def test_limits_that_are_one_are_counted_as_one() -> None:
    clock = Clock()
    pace, shutdown = RateLimit(600, None, clock), Hurried(clock)
    for bucket in BUCKETS:
        pace.update(bucket, {f"{ON}limit": "100", f"{ON}remaining": "90", f"{ON}reset": "60"})
    began = clock.now
    for number in range(150):
        await turn(pace, "verify" if number % 2 else "others", shutdown)
    assert clock.now - began > 100


async def test_nobody_starves() -> None:
    clock = Clock()
    pace, shutdown = RateLimit(100, None, clock), Hurried(clock)
    swept, attended = 0, []

    async def sweep() -> None:
        nonlocal swept
        while swept < 200 and await turn(pace, "verify", shutdown):
            swept += 1

    async def refund() -> None:
        while swept < 200 and await turn(pace, "others", shutdown):
            attended.append(swept)

    await asyncio.gather(*(sweep() for _ in range(10)), refund())
    assert len(attended) >= 15
    assert max(after - before for before, after in pairwise(attended)) < 30


async def test_whoever_waits_ends_with_the_process() -> None:
    clock = Clock()
    pace, shutdown = RateLimit(1, None, clock), Hurried(clock)
    await turn(pace, "verify", shutdown)
    waiting = asyncio.create_task(turn(pace, "verify", shutdown))
    await asyncio.sleep(0)
    shutdown.request()
    assert await waiting is False


def test_the_circuit_opens_after_failures_in_a_row() -> None:
    clock = Clock()
    circuit = CircuitBreaker(clock)
    for _ in range(FAILURES - 1):
        circuit.record_failure()
    circuit.record_answer()
    for _ in range(FAILURES - 1):
        circuit.record_failure()
    assert circuit_open._value.get() == 0
    circuit.record_failure()
    assert circuit_open._value.get() == 1
    pauses = []
    for _ in range(8):
        assert not circuit.allow()
        pauses.append(circuit.seconds_until_retry())
        circuit.record_failure()  # on its way when it opened: tells nothing new
        assert circuit.seconds_until_retry() == pauses[-1]
        clock.now += circuit.seconds_until_retry()
        assert circuit.allow()
        assert not circuit.allow()  # one call tells
        circuit.record_failure()
    assert 4 <= pauses[0] <= 6
    assert pauses[3] > 4 * pauses[0]
    assert max(pauses) <= 360
    clock.now += circuit.seconds_until_retry()
    assert circuit.allow()
    circuit.record_answer()
    assert not circuit.open
    assert circuit_open._value.get() == 0


def test_a_probe_that_never_ends_does_not_shut_the_door_for_ever() -> None:
    clock = Clock()
    circuit = CircuitBreaker(clock)
    for _ in range(FAILURES):
        circuit.record_failure()
    clock.now += circuit.seconds_until_retry()
    assert circuit.allow()
    clock.now += circuit.seconds_until_retry()
    assert circuit.allow()


async def test_a_rejected_key_stops_what_can_wait_until_it_is_right() -> None:
    clock = Clock()
    answers = [httpx.Response(401, json={"status": False, "message": "Invalid key"})]
    played = Limited(clock, lambda _: answers[0])
    paystack, shutdown = played.client(), Hurried(clock)
    with pytest.raises(KeyRejected):
        await paystack.transactions.verify("pay-1")
    assert key_rejected._value.get() == 1
    assert await turns(paystack.rate_limit, shutdown, 1) >= 20
    answers[0] = httpx.Response(404, json={"status": False, "code": "transaction_not_found"})
    assert await paystack.transactions.verify("pay-1") is None
    assert key_rejected._value.get() == 0
    assert not paystack.rate_limit.circuit_breaker.open
    await paystack.close()


async def test_every_answer_feeds_the_circuit() -> None:
    clock = Clock()
    answer = httpx.Response(500)
    played = Limited(clock, lambda _: httpx.Response(answer.status_code, json=answer.is_success or {"status": False}))
    paystack = played.client()
    for _ in range(FAILURES):
        with pytest.raises(NoAnswer):
            await paystack.transactions.verify("pay-1")
    assert circuit_open._value.get() == 1
    answer = httpx.Response(400)
    with pytest.raises(Refused):
        await paystack.transactions.verify("pay-1")
    assert not paystack.rate_limit.circuit_breaker.open
    played.answer = lambda _: ok({"id": 1})
    await paystack.close()
