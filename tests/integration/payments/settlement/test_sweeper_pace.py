"""The sweeper keeps Paystack's limits on calls, whatever they are, and makes few calls while Paystack is down."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from services.payments.db import sessions
from services.payments.paystack.client import Paystack
from services.payments.paystack.rate_limit import RateLimit
from services.payments.settlement import sweeper
from services.payments.settlement.sweeper import Sweeper
from tests.factories.payments import LONG_AGO, create_payment
from tests.fakes.paystack import Clock, FakePaystack, RateLimits, refusal
from tests.fakes.shutdown import OnClock
from tests.fixtures.payments import paystack_client
from tests.fixtures.payments_rows import change_payments, count_by_status, execute, find_payment, outbox_types


class Limited:
    """A sweep of payments at a Paystack that limits calls, on one clock for both."""

    def __init__(self, client: Paystack, limits: RateLimits) -> None:
        self.client = client
        self.limits = limits
        self.shutdown = OnClock(limits.clock)

    @property
    def seconds(self) -> float:
        """Seconds that have passed for Paystack."""
        return self.limits.clock.now - 1000

    async def sweep(self) -> list[bool]:
        answers: list[bool] = []
        await Sweeper(sessions, self.client).sweep(self.shutdown, answers.append)
        return answers


@asynccontextmanager
async def limited(fake: FakePaystack, budget: int | None = None, **limits: Any) -> AsyncIterator[Limited]:
    fake.rate_limits = RateLimits(Clock(), **limits)
    async with paystack_client(fake, RateLimit(100, budget, fake.rate_limits.clock)) as client:
        yield Limited(client, fake.rate_limits)


@pytest.mark.parametrize("many", [2_000, pytest.param(10_000, marks=pytest.mark.drill)])
async def test_sweep_when_thousands_of_payments_are_due_keeps_the_limit_and_its_estimate(
    paystack: FakePaystack, many: int
) -> None:
    """Paystack's clock and the sweeper's are the test's, and every answer is `ongoing` or paid, so nothing but the pace matters."""
    await execute(
        "INSERT INTO payments (reference, order_id, customer_id, amount, currency, verify_next_attempt_at)"
        " SELECT 'pay-' || n, gen_random_uuid(), 'customer-1', 50000, 'NGN', now() - n * interval '1 second'"
        f" FROM generate_series(1, {many}) AS n"
    )
    for number in range(1, many + 1):
        paystack.add_transaction(f"pay-{number}", status="success" if number % 100 == 0 else "ongoing")
    async with sessions() as session:
        assert await sweeper.count_due(session) == many
    async with limited(paystack) as sweep:
        estimate = sweeper.expected_seconds(many, sweep.client.rate_limit)
        assert len(await sweep.sweep()) == many
        assert sweep.limits.refused == 0
        assert max(sweep.limits.made.values()) <= 82  # of 100: the rest is for checkout
        asked = paystack.verified()
        assert len(set(asked)) == len(asked) == many
        assert sweep.seconds == pytest.approx(estimate, rel=0.1)
    assert await count_by_status() == {"succeeded": many // 100, "pending": many - many // 100}
    async with sessions() as session:
        assert await sweeper.count_due(session) == 0


async def test_sweep_when_live_limits_are_announced_uses_them(paystack: FakePaystack) -> None:
    for _ in range(60):
        paystack.add_transaction((await create_payment(verify_next_attempt_at=LONG_AGO)).reference, status="ongoing")
    async with limited(paystack, limit=600, verify_limit=3000) as sweep:
        await sweep.sweep()
        assert sweeper.expected_seconds(2250, sweep.client.rate_limit) == pytest.approx(60)
        assert sweep.seconds < 10


async def test_sweep_when_paystack_answers_429_waits_and_finishes(paystack: FakePaystack) -> None:
    for _ in range(110):
        paystack.add_transaction((await create_payment(verify_next_attempt_at=LONG_AGO)).reference)
    async with limited(paystack, budget=1_000_000, announced=False) as sweep:
        await sweep.sweep()
        # Later, those that met the limit are due again.
        await execute("UPDATE payments SET verify_next_attempt_at = created_at WHERE status = 'pending'")
        await sweep.sweep()
        assert await count_by_status() == {"succeeded": 110}
        assert sweep.limits.refused <= sweeper.CONCURRENCY
        assert sweep.seconds > 15


async def test_sweep_when_paystack_is_down_for_ten_minutes_makes_few_calls_and_loses_no_payment(
    paystack: FakePaystack,
) -> None:
    for _ in range(60):
        paystack.add_transaction((await create_payment(verify_next_attempt_at=LONG_AGO)).reference)
    async with limited(paystack) as sweep:
        down_until = sweep.limits.clock.now + 600

        def answer_or_fail() -> None:
            if sweep.limits.clock.now < down_until:
                raise httpx.ConnectError("away")

        paystack.before_call = answer_or_fail
        await sweep.sweep()
        assert len(paystack.calls) < 5 + 10 + 15 + 60
        await execute("UPDATE payments SET verify_next_attempt_at = created_at WHERE status = 'pending'")
        await sweep.sweep()
    assert await count_by_status() == {"succeeded": 60}


async def test_sweep_when_the_key_is_rejected_fails_and_abandons_no_payment(paystack: FakePaystack) -> None:
    paystack.fail(refusal(401, "invalid_Key", "Invalid key"), times=None)
    for _ in range(3):
        one = await create_payment(verify_next_attempt_at=LONG_AGO)
    await change_payments(created_at=LONG_AGO)  # old enough to be abandoned
    async with limited(paystack) as sweep:
        await sweep.sweep()
        assert await count_by_status() == {"pending": 3}
        assert (await find_payment(one.reference)).verify_next_attempt_at > datetime.now(UTC)
        assert sweep.seconds > 30
    assert await outbox_types() == []
