"""The broker fails in every way that it can: what was acknowledged is delivered, once, with no hand laid on."""

import asyncio
import shutil
from collections.abc import AsyncIterator

import aio_pika
import httpx
import pytest

from contracts.topology import CATALOG_PAYMENTS
from dev.stack import Stack
from tests.broker_control import BrokerControl
from tests.system.invariants import Invariants
from tests.system.shop import Json, Shop, until

HEALED_SECONDS = 15
WORKERS = ("catalog-worker", "payments-worker")

pytestmark = pytest.mark.usefixtures("invariants")


@pytest.fixture(scope="session")
async def control(stack: Stack) -> BrokerControl:
    return BrokerControl(stack._parts["rabbitmq"].program.env)


async def bought(shop: Shop, product: Json, count: int) -> list[tuple[Json, Json, Json]]:
    return list(await asyncio.gather(*(shop.bought(product) for _ in range(count))))


async def all_delivered(shop: Shop, purchases: list[tuple[Json, Json, Json]], seconds: float = 60) -> None:
    for buyer, order, _ in purchases:
        await shop.delivered(buyer, order, seconds)


async def told(invariants: Invariants, service: str) -> None:
    """Whatever the service has to tell is with the broker, and confirmed."""

    async def left() -> bool | None:
        return None if await invariants.rows(service, "SELECT 1 FROM outbox") else True

    await until(left)


async def waiting(stack: Stack, queue: str) -> int:
    async with await aio_pika.connect(stack.env["AMQP_URL"], timeout=5) as connection:
        channel = await connection.channel()
        found = await channel.declare_queue(queue, passive=True)
        return found.declaration_result.message_count or 0


async def delete(stack: Stack, *, queue: str = "", exchange: str = "") -> None:
    async with await aio_pika.connect(stack.env["AMQP_URL"], timeout=5) as connection:
        channel = await connection.channel()
        if queue:
            await channel.queue_delete(queue)
        if exchange:
            await channel.exchange_delete(exchange)


async def wipe(stack: Stack) -> None:
    """The broker comes back without its volume."""
    await stack.stop("rabbitmq")
    shutil.rmtree(stack.folder / "rabbitmq" / "data")
    await stack.start("rabbitmq")


async def readiness(shop: Shop, stack: Stack, part: str) -> httpx.Response | None:
    """None while nobody answers."""
    try:
        return await shop.client.get(f"{stack._wired().url(part)}/readyz", timeout=5)
    except httpx.HTTPError:
        return None


async def ready(shop: Shop, stack: Stack, part: str, seconds: float) -> None:
    async def is_so() -> bool | None:
        answer = await readiness(shop, stack, part)
        return True if answer is not None and answer.status_code == 200 else None

    await until(is_so, seconds)


@pytest.fixture
async def without_catalog(stack: Stack) -> AsyncIterator[None]:
    """Nobody consumes payments' events; the test starts catalog-worker again."""
    await stack.stop("catalog-worker")
    yield
    if stack._parts["catalog-worker"].pid is None:
        await stack.start("catalog-worker")


@pytest.mark.usefixtures("without_catalog")
async def test_a_queue_that_is_deleted_with_paid_orders_in_it(shop: Shop, stack: Stack, invariants: Invariants) -> None:
    purchases = await bought(shop, await shop.product(stock=30), 20)
    for buyer, _, payment in purchases:
        await shop.payment_reaches(buyer, payment["reference"], "succeeded")
    await told(invariants, "payments")
    assert await waiting(stack, CATALOG_PAYMENTS.name) >= 20
    await delete(stack, queue=CATALOG_PAYMENTS.name)
    await stack.start("catalog-worker")  # which declares it anew, perhaps before the relay has looked
    await all_delivered(shop, purchases)


@pytest.mark.usefixtures("without_catalog")
async def test_a_broker_that_comes_back_without_its_volume(shop: Shop, stack: Stack, invariants: Invariants) -> None:
    """Both ways are lost at once: what payments told catalog, and what catalog told payments."""
    product = await shop.product(stock=30)
    purchases = await bought(shop, product, 20)
    refundable = [await shop.begun(product) for _ in range(3)]
    await stack.start("catalog-worker")
    await all_delivered(shop, purchases)

    # Undeliverable, while payments hears nothing.
    await stack.stop("payments-worker")
    for buyer, order, _ in refundable:
        url = f"{stack.env['CATALOG_URL']}/catalog/orders/{order['id']}/cancel"
        await shop.call("POST", url, headers=buyer, expect=200)
    await stack.start("payments-worker")
    for buyer, _, payment in refundable:
        await shop.pay(payment["reference"])
        await shop.payment_reaches(buyer, payment["reference"], "refunded")
    await stack.stop("catalog-worker")
    more = await bought(shop, product, 5)
    for buyer, _, payment in more:
        await shop.payment_reaches(buyer, payment["reference"], "succeeded")
    await told(invariants, "payments")
    await wipe(stack)
    await stack.start("catalog-worker")
    await all_delivered(shop, more)
