"""Long faults of Postgres under load: connections that are ended, outages, freezes; and a long load of webhooks."""

import asyncio
import os
import random
import time
from collections import Counter
from statistics import quantiles

import asyncpg
import psutil
import pytest

from dev.stack.stack import Stack
from tests.fixtures.load import loaded
from tests.fixtures.stack_client import StackClient, charge_success

pytestmark = [pytest.mark.drill, pytest.mark.alone, pytest.mark.usefixtures("invariants")]

MAX_RATIO = 10
"""The p99 of a webhook, which is committed to disk, divided by the p99 of a route that does nothing."""

CLOCK_NOISE_SECONDS = 0.02
END = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE pid <> pg_backend_pid() AND datname = current_database() AND usename = current_user AND backend_type = 'client backend'
"""


async def end_connections(stack: Stack) -> None:
    """End all connections of the three services. Only a superuser may end those of other roles and of autovacuum."""
    for service in ("auth", "catalog", "payments"):
        connection = await asyncpg.connect(stack.env[f"{service.upper()}_DATABASE_URL"], timeout=5)
        try:
            await connection.fetchval(END)
        finally:
            await connection.close(timeout=5)


async def test_requests_when_all_connections_are_ended_fail_only_if_they_were_running(
    shop: StackClient, stack: Stack
) -> None:
    """No request fails because of a connection that was ended while it was idle."""
    running = 0
    async with loaded(shop, 10) as load:
        for _ in range(30):
            await asyncio.sleep(2)
            before = load.running
            await end_connections(stack)
            running += before + load.running
    print(f"{running} requests were running")
    assert load.unavailable() <= running


async def test_webhooks_when_postgres_is_down_for_a_minute_are_accepted_afterwards(
    shop: StackClient, stack: Stack
) -> None:
    begun = [await shop.begin_purchase(await shop.product()) for _ in range(5)]
    statuses = Counter[int]()
    await stack.stop("postgres")
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            for _, _, payment in begun:
                statuses[(await shop.post_webhook(charge_success(payment["reference"]))).status_code] += 1
            await asyncio.sleep(0.2)
    finally:
        await stack.start("postgres")
    assert set(statuses) == {503}
    for buyer, order, payment in begun:
        await shop.wait_webhook_accepted(charge_success(payment["reference"]), 30)
        await shop.wait_delivered(buyer, order, 30)


async def test_requests_when_postgres_is_frozen_for_half_a_minute_are_answered_in_time(
    shop: StackClient, stack: Stack
) -> None:
    server = psutil.Process(stack.pid("postgres"))
    async with loaded(shop, 10) as load:
        await asyncio.sleep(3)
        server.suspend()
        # Its backends are not in its process group.
        backends = server.children(recursive=True)
        for backend in backends:
            backend.suspend()
        try:
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline:
                for service in ("catalog", "payments"):
                    await shop.call("GET", f"{shop.env[f'{service.upper()}_URL']}/livez", expect=200)
                await asyncio.sleep(1)
        finally:
            for process in (server, *backends):
                process.resume()
        await asyncio.sleep(5)
    assert load.unavailable() > 0
    # The start of a payment calls catalog, for at most five seconds, and may be calling Paystack when the database freezes.
    assert load.slowest < 15


async def test_webhooks_when_a_hundred_arrive_each_second_are_accepted_in_time(shop: StackClient, stack: Stack) -> None:
    """Compared with a route of the same process that does nothing, which the rest of the machine slows down as much."""
    seconds, a_second = float(os.environ.get("SECONDS", "300")), 100
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    seeded = random.Random(seed)
    statuses: Counter[int] = Counter()
    webhooks: list[float] = []
    nothing: list[float] = []

    async def one(number: int) -> None:
        data = {"id": seeded.randrange(10**12), "number": number}
        began = time.monotonic()
        statuses[(await shop.post_webhook({"event": "transfer.success", "data": data})).status_code] += 1
        webhooks.append(time.monotonic() - began)
        began = time.monotonic()
        await shop.call("GET", f"{shop.env['PAYMENTS_URL']}/livez", expect=200)
        nothing.append(time.monotonic() - began)

    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for number in range(int(seconds * a_second)):
            await asyncio.sleep(max(0.0, began + number / a_second - time.monotonic()))
            group.create_task(one(number))
    took = time.monotonic() - began
    of_webhooks, of_nothing = (quantiles(each, n=100)[98] for each in (webhooks, nothing))
    print(
        f"{len(webhooks)} webhooks in {took:.0f} s, p99 {of_webhooks * 1000:.0f} ms, of nothing {of_nothing * 1000:.0f} ms"
    )
    assert set(statuses) == {200}
    assert of_webhooks < MAX_RATIO * max(of_nothing, CLOCK_NOISE_SECONDS)
