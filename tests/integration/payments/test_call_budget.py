"""All processes share one budget of calls to Paystack. A process takes portions of it from the database."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from kit.db.engine import create_engine
from kit.worker.shutdown import Shutdown
from services.payments.call_budget import DatabaseCounter, prune
from services.payments.db import sessions
from services.payments.models import CallBudget
from services.payments.paystack.rate_limit import RateLimit
from services.payments.settings import settings
from tests.fakes.paystack import FakePaystack
from tests.fixtures.payments import paystack_client
from tests.fixtures.payments_rows import execute

LIMIT = 2_400
PER_SECOND = LIMIT * 0.75 / 60
BURST = PER_SECOND * 5
PORTION = int(PER_SECOND)
CALL_UNTIL = """
import asyncio, sys, time
from kit.worker.shutdown import Shutdown
from services.payments.clients import open_clients

async def main():
    async with open_clients() as clients:
        rate_limit, shutdown, calls = clients.paystack.rate_limit, Shutdown(), 0
        rate_limit.update("verify", {"x-ratelimit-limit": sys.argv[1]})
        end = time.monotonic() + float(sys.argv[2])
        while time.monotonic() < end:
            assert await rate_limit.acquire("verify", shutdown)
            rate_limit.count("verify")
            calls += 1
        print(calls)

asyncio.run(main())
"""


@pytest.fixture
async def rate_limits() -> AsyncIterator[list[RateLimit]]:
    """Two rate limits, each with connections of its own, as in two processes."""
    engines = [create_engine(settings.payments_database_url, name=f"process-{number}") for number in range(2)]
    found = [RateLimit(LIMIT, counter=DatabaseCounter(engine)) for engine in engines]
    yield found
    for each in found:
        await each.close()
    for engine in engines:
        await engine.dispose()


async def call_until(rate_limit: RateLimit, end: float) -> int:
    """Make background calls until this time. Return their number."""
    shutdown, calls = Shutdown(), 0
    while time.monotonic() < end:
        assert await rate_limit.acquire("verify", shutdown)
        rate_limit.count("verify")
        calls += 1
    return calls


async def test_two_rate_limits_together_stay_within_the_budget(rate_limits: list[RateLimit]) -> None:
    began = time.monotonic()
    made = await asyncio.gather(*(call_until(each, began + 1.5) for each in rate_limits))
    elapsed = time.monotonic() - began
    assert sum(made) <= BURST + PER_SECOND * elapsed
    assert all(made), "each of them gets calls"


def test_two_processes_together_stay_within_the_budget() -> None:
    began = time.monotonic()
    arguments = [sys.executable, "-c", CALL_UNTIL, str(LIMIT), "1.5"]
    processes = [subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    made = [int(process.communicate(timeout=60)[0]) for process in processes]
    elapsed = time.monotonic() - began
    assert sum(made) <= BURST + PER_SECOND * elapsed
    assert all(made)


async def test_a_process_that_dies_loses_at_most_its_portion(rate_limits: list[RateLimit]) -> None:
    dead, alive = rate_limits
    assert await dead.acquire("verify", Shutdown())  # it has taken a portion, and never makes the calls
    async with sessions() as session:
        left = (await session.execute(select(CallBudget.tokens))).scalar_one()
    assert left >= BURST - PORTION
    assert await alive.acquire("verify", Shutdown())


async def test_calls_that_cannot_wait_leave_fewer_calls_to_the_background(rate_limits: list[RateLimit]) -> None:
    api, worker = rate_limits
    began = time.monotonic()
    for _ in range(200):
        api.count("charge")
    await api.close()
    assert await call_until(worker, began + 2) + 200 <= max(200, BURST + PER_SECOND * (time.monotonic() - began))


async def test_calls_that_could_not_wait_delay_the_background_by_a_minute_at_most() -> None:
    engine = create_engine(settings.payments_database_url, name="process")
    counter = DatabaseCounter(engine)
    for _ in range(2):  # the first inserts the row
        grant = await counter.take(LIMIT, 1, made=1_000_000, per_second=PER_SECOND, burst=BURST, pause_seconds=0)
        assert grant.calls == 0
        assert grant.seconds <= 61
    await engine.dispose()


async def test_a_refusal_of_paystack_pauses_the_other_process(rate_limits: list[RateLimit]) -> None:
    refused, other = rate_limits
    assert await other.acquire("verify", Shutdown())
    refused.exhaust("verify", 3600)
    await refused.close()
    shutdown = Shutdown()
    for _ in range(PORTION - 1):  # what the other process has taken already
        assert await other.acquire("verify", shutdown)
    waiting = asyncio.create_task(other.acquire("verify", shutdown))
    done, _ = await asyncio.wait({waiting}, timeout=1)
    assert not done
    shutdown.request()
    assert await waiting is False


async def test_prune_deletes_budgets_that_were_not_used_for_a_day(rate_limits: list[RateLimit]) -> None:
    assert await rate_limits[0].acquire("verify", Shutdown())
    await execute(
        "INSERT INTO call_budgets (call_limit, tokens, granted, counted_at, paused_until)"
        " SELECT n, 0, 0, now() - interval '25 h', now() FROM generate_series(1, 3) n"
    )
    async with sessions.begin() as session:
        assert await prune(session, 2) == 2
        assert await prune(session, 2) == 1
        assert await prune(session, 2) == 0


async def test_calls_that_cannot_wait_are_made_while_the_database_is_away(paystack: FakePaystack) -> None:
    engine = create_engine(SecretStr("postgresql://payments:no-such-password@127.0.0.1:9/payments"), name="away")
    rate_limit = RateLimit(LIMIT, counter=DatabaseCounter(engine))
    async with paystack_client(paystack, rate_limit) as client:
        for _ in range(5):
            assert await client.transactions.verify("unknown") is None
    assert len(paystack.calls) == 5
    await engine.dispose()


def test_the_paystack_client_can_be_imported_without_the_database() -> None:
    code = "import services.payments.paystack.client, sys; sys.exit('services.payments.db' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env=dict(os.environ), check=False).returncode == 0
