"""Whatever dies while purchases run: every paid order is delivered exactly once, with no hand laid on.

The seed of the moments is printed; the kills are SIGKILL, of a process that the supervisor starts again.
"""

import asyncio
import os
import random
import signal
import time

import pytest

from dev.stack.stack import Stack
from tests.system.shop import Json, Shop, until

STOCK = 5_000
AT_ONCE = 20

pytestmark = pytest.mark.usefixtures("invariants")


async def _buy(shop: Shop, product: Json, enough: asyncio.Event, least: int) -> list[tuple[Json, Json, Json]]:
    """Buyers who do not give up, one after the other, until there were enough; each is done when it has paid."""
    bought: list[tuple[Json, Json, Json]] = []
    while not enough.is_set() or len(bought) < least:
        bought.append(await shop.bought(product))
    return bought


@pytest.mark.parametrize(("kills", "each"), [(2, 3), pytest.param(10, 40, marks=pytest.mark.drill)])
@pytest.mark.parametrize("part", ["payments-worker", "catalog-worker", "rabbitmq", "postgres", "payments", "catalog"])
async def test_sigkill_while_purchases_run(shop: Shop, stack: Stack, part: str, kills: int, each: int) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    moments = random.Random(seed)
    product = await shop.product(stock=STOCK)
    enough = asyncio.Event()
    buying = [asyncio.create_task(_buy(shop, product, enough, each)) for _ in range(AT_ONCE)]
    try:
        for _ in range(kills):
            await asyncio.wait(buying, timeout=moments.uniform(0.3, 1.5), return_when=asyncio.FIRST_EXCEPTION)
            pid = stack.pid(part)
            os.kill(pid, signal.SIGKILL)
            await stack.restarted(part, pid)
    finally:
        enough.set()
        found = await asyncio.gather(*buying)
    bought = [purchase for purchases in found for purchase in purchases]
    for buyer, order, _ in bought:
        await shop.delivered(buyer, order, 90)
    assert await shop.stock(product) == STOCK - len(bought)


async def test_webhooks_are_taken_while_the_broker_is_down(shop: Shop, stack: Stack) -> None:
    product = await shop.product(stock=30)
    begun = [await shop.begun(product) for _ in range(20)]
    await stack.stop("rabbitmq")
    try:
        for _, _, payment in begun:
            data = {
                "id": abs(hash(payment["reference"])) % 10**12,
                "reference": payment["reference"],
                "status": "success",
                "amount": 50_000,
                "currency": "NGN",
                "domain": "test",
            }
            assert (await shop.webhook({"event": "charge.success", "data": data})).status_code == 200
        for buyer, _, payment in begun:
            await shop.payment_reaches(buyer, payment["reference"], "succeeded")
    finally:
        await stack.start("rabbitmq")
    for buyer, order, _ in begun:
        await shop.delivered(buyer, order)


async def test_no_webhook_is_acknowledged_while_postgres_is_down(shop: Shop, stack: Stack) -> None:
    buyer, order, payment = await shop.begun(await shop.product())
    body = {
        "event": "charge.success",
        "data": {
            "id": 91,
            "reference": payment["reference"],
            "status": "success",
            "amount": 50_000,
            "currency": "NGN",
            "domain": "test",
        },
    }
    await stack.stop("postgres")
    try:
        for _ in range(5):
            began = time.monotonic()
            answer = await shop.webhook(body)
            assert answer.status_code == 503
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["retry-after"]
            assert time.monotonic() - began < 3
    finally:
        await stack.start("postgres")

    async def taken() -> bool | None:
        return True if (await shop.webhook(body)).status_code == 200 else None

    await until(taken)  # as Paystack would: again, until it is 200
    await shop.delivered(buyer, order)


async def test_a_frozen_postgres_is_answered_503_in_time(shop: Shop, stack: Stack) -> None:
    group = os.getpgid(stack.pid("postgres"))
    raw = {"event": "transfer.success", "data": {"id": random.randrange(10**12)}}
    os.killpg(group, signal.SIGSTOP)
    try:
        began = time.monotonic()
        answers = await asyncio.gather(*(shop.webhook(raw) for _ in range(10)))
        assert {answer.status_code for answer in answers} == {503}
        assert time.monotonic() - began < 3
    finally:
        os.killpg(group, signal.SIGCONT)

    async def taken() -> bool | None:
        return True if (await shop.webhook(raw)).status_code == 200 else None

    await until(taken)
