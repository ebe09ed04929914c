"""SIGTERM: what has been begun is finished, nothing is given up, and the process ends well within its time."""

import asyncio
import os
import signal
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from dev.stack.stack import Stack
from tests.system.invariants import Invariants
from tests.system.shop import Json, Shop, until

SECONDS = 20.0
AT_ONCE = 5
pytestmark = pytest.mark.usefixtures("invariants")


async def _ends_well(stack: Stack, part: str, pid: int) -> None:
    """It is another one within the time, so this one has ended; and with 0."""
    await stack.restarted(part, pid, SECONDS)
    assert stack.exit_code(part) == 0


async def _requests(shop: Shop, part: str) -> tuple[str, list[tuple[Json, Json]]]:
    """The address, and as many bodies and headers as are asked at once."""
    if part == "auth":
        users = [{"email": f"{uuid4().hex}@example.com", "password": f"correct {uuid4().hex}"} for _ in range(AT_ONCE)]
        return f"{shop.env['AUTH_URL']}/auth/users", [(user, {}) for user in users]
    product = await shop.product()
    buyers = [shop.bearer() for _ in range(AT_ONCE)]
    if part == "catalog":
        body = {"items": [{"product_id": product["id"], "quantity": 1}]}
        return f"{shop.env['CATALOG_URL']}/catalog/orders", [(body, buyer) for buyer in buyers]
    orders = [({"order_id": (await shop.order(buyer, product))["id"]}, buyer) for buyer in buyers]
    return f"{shop.env['PAYMENTS_URL']}/payments", orders


@pytest.mark.parametrize(("part", "table"), [("auth", "accounts"), ("catalog", "orders"), ("payments", "payments")])
async def test_requests_that_have_begun_are_answered(shop: Shop, stack: Stack, part: str, table: str) -> None:
    url, asked = await _requests(shop, part)
    database = await asyncpg.connect(shop.env[f"{part.upper()}_DATABASE_URL"], timeout=5, command_timeout=5)
    waiting = f"SELECT count(*) FROM pg_locks WHERE relation = '{table}'::regclass AND NOT granted"

    async def all_wait() -> bool | None:
        return True if await database.fetchval(waiting) >= AT_ONCE else None

    pid = stack.pid(part)
    try:
        # They wait for us, for less than their lock timeout: SIGTERM surely meets them at work.
        async with database.transaction():
            await database.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")
            asking = [asyncio.create_task(_asked(shop, url, body, headers)) for body, headers in asked]
            await until(all_wait, 10)
            os.kill(pid, signal.SIGTERM)
            await _refuses(shop, url)
    finally:
        await database.close(timeout=5)
    assert await asyncio.gather(*asking) == [201] * AT_ONCE
    await _ends_well(stack, part, pid)


async def _asked(shop: Shop, url: str, body: Any, headers: Json) -> int:
    """Whoever is cut off hears of it here: the client raises."""
    return (await shop.call("POST", url, json=body, headers=headers)).status_code


async def _refuses(shop: Shop, url: str) -> None:
    """Until the process has heard SIGTERM: it takes no new connection."""
    port = int(url.split(":")[2].split("/")[0])

    async def refused() -> bool | None:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return True
        writer.close()
        return None

    await until(refused, 10)


@pytest.mark.parametrize("part", ["payments", "payments-worker", "catalog", "catalog-worker", "auth", "auth-worker"])
async def test_under_load_nothing_is_lost(shop: Shop, stack: Stack, part: str) -> None:
    product = await shop.product(stock=60)
    before = await Invariants(stack).dead_letters()
    buying = [asyncio.create_task(shop.bought(product)) for _ in range(20)]
    await asyncio.wait(buying, return_when=asyncio.FIRST_COMPLETED)
    pid = stack.pid(part)
    os.kill(pid, signal.SIGTERM)
    await _ends_well(stack, part, pid)
    for buyer, order, _ in await asyncio.gather(*buying):
        await shop.delivered(buyer, order)
    assert await Invariants(stack).dead_letters() == before
