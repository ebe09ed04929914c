"""SIGTERM: running work is finished, nothing is lost, and the process exits with 0 in time."""

import asyncio
import os
import signal
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from dev.chaos.invariants import Invariants
from dev.stack.stack import Stack
from tests.fixtures.stack_client import Json, StackClient, until

SECONDS = 20.0
AT_ONCE = 5
pytestmark = pytest.mark.usefixtures("invariants")


async def _wait_exit(stack: Stack, process: str, pid: int) -> None:
    """Wait until the process was restarted, and check that it had exited with 0."""
    await stack.wait_restarted(process, pid, SECONDS)
    assert stack.exit_code(process) == 0


async def _requests(shop: StackClient, process: str) -> tuple[str, list[tuple[Json, Json]]]:
    """Return a URL, and the bodies and headers of AT_ONCE requests."""
    if process == "auth":
        users = [{"email": f"{uuid4().hex}@example.com", "password": f"correct {uuid4().hex}"} for _ in range(AT_ONCE)]
        return f"{shop.env['AUTH_URL']}/auth/users", [(user, {}) for user in users]
    product = await shop.product()
    buyers = [shop.bearer() for _ in range(AT_ONCE)]
    if process == "catalog":
        body = {"items": [{"product_id": product["id"], "quantity": 1}]}
        return f"{shop.env['CATALOG_URL']}/catalog/orders", [(body, buyer) for buyer in buyers]
    orders = [({"order_id": (await shop.order(buyer, product))["id"]}, buyer) for buyer in buyers]
    return f"{shop.env['PAYMENTS_URL']}/payments", orders


@pytest.mark.parametrize(("process", "table"), [("auth", "accounts"), ("catalog", "orders"), ("payments", "payments")])
async def test_running_requests_when_sigterm_arrives_are_answered(
    shop: StackClient, stack: Stack, process: str, table: str
) -> None:
    url, requests = await _requests(shop, process)
    database = await asyncpg.connect(shop.env[f"{process.upper()}_DATABASE_URL"], timeout=5, command_timeout=5)
    waiting = f"SELECT count(*) FROM pg_locks WHERE relation = '{table}'::regclass AND NOT granted"

    async def all_wait() -> bool | None:
        return True if await database.fetchval(waiting) >= AT_ONCE else None

    pid = stack.pid(process)
    try:
        # The requests wait for this lock, for less than the lock timeout: SIGTERM arrives while they run.
        async with database.transaction():
            await database.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")
            sending = [asyncio.create_task(_status_of(shop, url, body, headers)) for body, headers in requests]
            await until(all_wait, 10)
            os.kill(pid, signal.SIGTERM)
            await _wait_refusing(shop, url)
    finally:
        await database.close(timeout=5)
    assert await asyncio.gather(*sending) == [201] * AT_ONCE
    await _wait_exit(stack, process, pid)


async def _status_of(shop: StackClient, url: str, body: Any, headers: Json) -> int:
    """Send a request. Raises if the connection is cut."""
    return (await shop.call("POST", url, json=body, headers=headers)).status_code


async def _wait_refusing(shop: StackClient, url: str) -> None:
    """Wait until the process accepts no new connection: it has received SIGTERM."""
    port = int(url.split(":")[2].split("/")[0])

    async def refused() -> bool | None:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return True
        writer.close()
        return None

    await until(refused, 10)


@pytest.mark.parametrize("process", ["payments", "payments-worker", "catalog", "catalog-worker", "auth", "auth-worker"])
async def test_purchases_when_sigterm_arrives_are_delivered(shop: StackClient, stack: Stack, process: str) -> None:
    product = await shop.product(stock=60)
    before = await Invariants(stack).dead_letters()
    buying = [asyncio.create_task(shop.buy(product)) for _ in range(20)]
    await asyncio.wait(buying, return_when=asyncio.FIRST_COMPLETED)
    pid = stack.pid(process)
    os.kill(pid, signal.SIGTERM)
    await _wait_exit(stack, process, pid)
    for buyer, order, _ in await asyncio.gather(*buying):
        await shop.wait_delivered(buyer, order)
    assert await Invariants(stack).dead_letters() == before
