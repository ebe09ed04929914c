"""Postgres in trouble while the shop is open: a lock that is held too long, connections that are ended, long outages, a restore."""

import asyncio
import os
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from dev.stack import Stack
from tests.system.invariants import Invariants
from tests.system.shop import Json, Shop, until

pytestmark = pytest.mark.usefixtures("invariants")

LOCK_SECONDS = 5.0
NEIGHBOURS = 10


def paid(payment: Json) -> Json:
    """The notice that a payment succeeded."""
    number = int(payment["reference"][-12:], 16)
    data = {"id": number, "reference": payment["reference"], "status": "success", "amount": 50_000, "currency": "NGN"}
    return {"event": "charge.success", "data": {**data, "domain": "test"}}


async def test_a_payment_that_somebody_holds_makes_only_itself_wait(shop: Shop, stack: Stack) -> None:
    """Its neighbours come in the same batches, and the lock is held for longer than anybody waits for one."""
    product = await shop.product(stock=30)
    begun = [await shop.begun(product) for _ in range(NEIGHBOURS + 1)]
    held, *neighbours = begun
    holder = await asyncpg.connect(stack.env["PAYMENTS_DATABASE_URL"], timeout=5)
    try:
        await holder.execute("BEGIN")
        await holder.execute("SELECT 1 FROM payments WHERE reference = $1 FOR UPDATE", held[2]["reference"])
        since = time.monotonic()
        assert (await shop.webhook(paid(held[2]))).status_code == 200
        waited = []
        for buyer, order, payment in neighbours:
            began = time.monotonic()
            assert (await shop.webhook(paid(payment))).status_code == 200
            await shop.delivered(buyer, order, 10)
            waited.append(time.monotonic() - began)
            await asyncio.sleep(max(0.0, since + LOCK_SECONDS / NEIGHBOURS * len(waited) - time.monotonic()))
        assert (await shop.payment(held[0], held[2]["reference"]))["status"] == "pending"
        print("neighbours waited", [round(seconds, 2) for seconds in waited])
        assert max(waited) < 1.5, waited
    finally:
        await holder.close(timeout=5)
    await shop.delivered(held[0], held[1])
    rows = await Invariants(stack).rows(
        "payments", f"SELECT attempts, state FROM notices WHERE reference = '{held[2]['reference']}'"
    )
    assert [tuple(row) for row in rows] == [(1, "done")]  # waiting for a lock costs no attempt


class Load:
    """Purchases at a steady pace by buyers who ask once only: what they were answered, and what was paid for."""

    def __init__(self, shop: Shop, product: Json) -> None:
        self.shop = shop
        self.product = product
        self.answers: list[httpx.Response | str] = []
        self.taken: list[tuple[Json, Json]] = []
        self.slowest = 0.0

    async def run(self, a_second: float, over: Callable[[], bool]) -> None:
        async with asyncio.TaskGroup() as group:
            while not over():
                group.create_task(self._buy())
                await asyncio.sleep(1 / a_second)

    async def _ask(self, asking: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response | None:
        began = time.monotonic()
        try:
            answer = await asking()
        except httpx.HTTPError as error:
            self.answers.append(repr(error))
            return None
        self.slowest = max(self.slowest, time.monotonic() - began)
        self.answers.append(answer)
        return answer if answer.status_code < 300 else None

    async def _buy(self) -> None:
        env, client, buyer = self.shop.env, self.shop.client, self.shop.bearer()
        items = [{"product_id": self.product["id"], "quantity": 1}]
        headers = {**buyer, "Idempotency-Key": uuid4().hex}
        order = await self._ask(
            lambda: client.post(f"{env['CATALOG_URL']}/catalog/orders", json={"items": items}, headers=headers)
        )
        if order is None:
            return
        asked = {"order_id": order.json()["id"]}
        payment = await self._ask(lambda: client.post(f"{env['PAYMENTS_URL']}/payments", json=asked, headers=headers))
        if payment is None:
            return
        await self.shop.pay(payment.json()["reference"], deliveries=1)
        self.taken.append((buyer, order.json()))

    def failed(self) -> list[Any]:
        """What was neither a 2xx nor a refusal that may be asked again."""
        return [
            answer if isinstance(answer, str) else (answer.status_code, answer.text[:200])
            for answer in self.answers
            if isinstance(answer, str)
            or not (answer.status_code < 300 or (answer.status_code == 503 and answer.headers.get("retry-after")))
        ]

    def turned_away(self) -> int:
        return sum(not isinstance(answer, str) and answer.status_code == 503 for answer in self.answers)

    async def all_delivered(self) -> None:
        for buyer, order in self.taken:
            await self.shop.delivered(buyer, order, 120)


@asynccontextmanager
async def loaded(shop: Shop, a_second: float) -> AsyncIterator[Load]:
    """Purchases go on meanwhile; in the end every one that was paid for is delivered."""
    load = Load(shop, await shop.product())
    over = asyncio.Event()
    running = asyncio.create_task(load.run(a_second, over.is_set))
    try:
        yield load
    finally:
        over.set()
        await running
    await load.all_delivered()
    print(f"{len(load.answers)} answers, {load.turned_away()} of them 503, the slowest after {load.slowest:.1f} s")
    assert not load.failed(), Counter(map(str, load.failed()))


END = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE pid <> pg_backend_pid() AND datname = current_database()
"""


async def end_connections(stack: Stack) -> None:
    """All of the three services, as their own roles may."""
    for service in ("auth", "catalog", "payments"):
        connection = await asyncpg.connect(stack.env[f"{service.upper()}_DATABASE_URL"], timeout=5)
        try:
            await connection.fetchval(END)
        finally:
            await connection.close(timeout=5)


@pytest.mark.drill
async def test_every_connection_ended_every_two_seconds(shop: Shop, stack: Stack) -> None:
    async with loaded(shop, 10) as load:
        for _ in range(30):
            await asyncio.sleep(2)
            await end_connections(stack)
    assert load.turned_away() < 0.01 * len(load.answers)


@pytest.mark.drill
async def test_postgres_down_for_a_minute(shop: Shop, stack: Stack) -> None:
    begun = [await shop.begun(await shop.product()) for _ in range(5)]
    slowest, statuses = 0.0, Counter[int]()
    await stack.stop("postgres")
    try:
        until_then = time.monotonic() + 60
        while time.monotonic() < until_then:
            for _, _, payment in begun:
                began = time.monotonic()
                statuses[(await shop.webhook(paid(payment))).status_code] += 1
                slowest = max(slowest, time.monotonic() - began)
            await asyncio.sleep(0.2)
    finally:
        await stack.start("postgres")
    assert set(statuses) == {503}
    assert slowest < 3
    for buyer, order, payment in begun:

        async def taken(payment: Json = payment) -> bool | None:
            return True if (await shop.webhook(paid(payment))).status_code == 200 else None

        await until(taken, 30)
        await shop.delivered(buyer, order, 30)


@pytest.mark.drill
async def test_postgres_frozen_for_half_a_minute(shop: Shop, stack: Stack) -> None:
    group = os.getpgid(stack.pid("postgres"))
    async with loaded(shop, 10) as load:
        await asyncio.sleep(3)
        os.killpg(group, signal.SIGSTOP)
        try:
            until_then = time.monotonic() + 30
            while time.monotonic() < until_then:
                began = time.monotonic()
                for service in ("catalog", "payments"):
                    await shop.call("GET", f"{shop.env[f'{service.upper()}_URL']}/livez", expect=200)
                assert time.monotonic() - began < 1
                await asyncio.sleep(1)
        finally:
            os.killpg(group, signal.SIGCONT)
        await asyncio.sleep(5)
    assert load.turned_away() > 0
    # A start asks catalog, for five seconds at most, and may be at Paystack when the database freezes.
    assert load.slowest < 15


@pytest.mark.drill
async def test_a_hundred_webhooks_a_second_for_five_minutes(shop: Shop, stack: Stack) -> None:
    seconds, a_second = float(os.environ.get("SECONDS", "300")), 100
    took: list[float] = []
    statuses: Counter[int] = Counter()
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    luck = random.Random(seed)

    async def one(number: int) -> None:
        data = {"id": luck.randrange(10**12), "number": number}
        began = time.monotonic()
        statuses[(await shop.webhook({"event": "transfer.success", "data": data})).status_code] += 1
        took.append(time.monotonic() - began)

    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for number in range(int(seconds * a_second)):
            await asyncio.sleep(max(0.0, began + number / a_second - time.monotonic()))
            group.create_task(one(number))
    took.sort()
    p99 = took[int(len(took) * 0.99)]
    print(f"{len(took)} webhooks in {time.monotonic() - began:.0f} s, p99 {p99 * 1000:.0f} ms, {dict(statuses)}")
    assert set(statuses) == {200}
    assert p99 < 0.2
