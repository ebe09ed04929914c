"""Purchases at a steady pace, by buyers who ask once only."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx

from tests.system.shop import Json, Shop


class Load:
    """What the buyers were answered, and what was paid for."""

    def __init__(self, shop: Shop, product: Json) -> None:
        self.shop = shop
        self.product = product
        self.answers: list[httpx.Response | str] = []
        self.taken: list[tuple[Json, Json]] = []
        self.slowest = 0.0
        self.under_way = 0

    async def run(self, a_second: float, over: Callable[[], bool]) -> None:
        async with asyncio.TaskGroup() as group:
            while not over():
                group.create_task(self._buy())
                await asyncio.sleep(1 / a_second)

    async def _ask(self, asking: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response | None:
        began = time.monotonic()
        self.under_way += 1
        try:
            answer = await asking()
        except httpx.HTTPError as error:
            self.answers.append(repr(error))
            return None
        finally:
            self.under_way -= 1
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
