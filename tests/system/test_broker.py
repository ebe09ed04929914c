"""The broker fails in every way that it can: what was acknowledged is delivered, once, with no hand laid on."""

import asyncio
import os
import shutil
import signal
import time

import aio_pika
import httpx
import pytest

from contracts.topology import CATALOG_PAYMENTS, EXCHANGE, PAYMENTS_ORDERS
from dev.stack.stack import Stack
from tests.broker_control import BrokerControl
from tests.system.invariants import Invariants
from tests.system.shop import Json, Shop, until

HEALED_SECONDS = 15
WORKERS = ("catalog-worker", "payments-worker")

pytestmark = pytest.mark.usefixtures("invariants")


@pytest.fixture(scope="session")
async def control(stack: Stack) -> BrokerControl:
    return BrokerControl(stack.program("rabbitmq").env)


async def bought(shop: Shop, product: Json, count: int) -> list[tuple[Json, Json, Json]]:
    return list(await asyncio.gather(*(shop.bought(product) for _ in range(count))))


async def all_delivered(shop: Shop, purchases: list[tuple[Json, Json, Json]], seconds: float = 60) -> None:
    for buyer, order, _ in purchases:
        await shop.delivered(buyer, order, seconds)


async def told(invariants: Invariants, service: str) -> None:
    """Until all that the service has to tell is with the broker, and confirmed."""

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


async def readiness(shop: Shop, stack: Stack, part: str) -> httpx.Response | None:
    """None while nobody answers."""
    try:
        return await shop.client.get(f"{stack.url(part)}/readyz", timeout=5)
    except httpx.HTTPError:
        return None


async def ready(shop: Shop, stack: Stack, part: str, seconds: float) -> None:
    async def is_so() -> bool | None:
        answer = await readiness(shop, stack, part)
        return True if answer is not None and answer.status_code == 200 else None

    await until(is_so, seconds)


async def alive(shop: Shop, stack: Stack, part: str) -> None:
    async def is_so() -> bool | None:
        try:
            answer = await shop.client.get(f"{stack.url(part)}/livez", timeout=5)
        except httpx.HTTPError:
            return None
        return True if answer.status_code == 200 else None

    await until(is_so)


def paid_notice(payment: Json) -> Json:
    data = {
        "id": int.from_bytes(payment["reference"].encode()[-5:]),
        "reference": payment["reference"],
        "status": "success",
        "amount": payment["amount"],
        "currency": payment["currency"],
        "domain": "test",
    }
    return {"event": "charge.success", "data": data}


async def all_paid(shop: Shop, begun: list[tuple[Json, Json, Json]]) -> list[float]:
    """Every webhook is answered 200, whatever the broker does, and settled. How long each took."""
    took = []
    for _, _, payment in begun:
        began = time.monotonic()
        assert (await shop.webhook(paid_notice(payment))).status_code == 200
        took.append(time.monotonic() - began)
    for buyer, _, payment in begun:
        await shop.payment_reaches(buyer, payment["reference"], "succeeded")
    assert max(took) < 3, "a webhook waited for the broker"
    return took


async def lose(stack: Stack, queue: str, how: str) -> None:
    """Deleted by somebody; or the broker comes back without its volume."""
    if how == "deleted":
        await delete(stack, queue=queue)
        return
    await stack.stop("rabbitmq")
    shutil.rmtree(stack.folder / "rabbitmq" / "data")
    await stack.start("rabbitmq")


@pytest.mark.parametrize("how", ["deleted", "wiped"])
async def test_a_queue_that_is_lost_with_paid_orders_in_it(
    shop: Shop, stack: Stack, invariants: Invariants, how: str
) -> None:
    await stack.stop("catalog-worker")
    try:
        purchases = await bought(shop, await shop.product(stock=30), 20)
        for buyer, _, payment in purchases:
            await shop.payment_reaches(buyer, payment["reference"], "succeeded")
        await told(invariants, "payments")
        assert await waiting(stack, CATALOG_PAYMENTS.name) >= 20
        await lose(stack, CATALOG_PAYMENTS.name, how)
    finally:
        # Which declares it anew, perhaps before the relay has looked.
        await stack.start("catalog-worker")
    await all_delivered(shop, purchases)


@pytest.mark.parametrize("how", ["deleted", pytest.param("wiped", marks=pytest.mark.drill)])
async def test_a_queue_that_is_lost_with_money_to_give_back_in_it(
    shop: Shop, stack: Stack, invariants: Invariants, how: str
) -> None:
    product = await shop.product(stock=30)
    await stack.stop("catalog-worker")
    try:
        begun = [await shop.begun(product) for _ in range(3)]
        for buyer, order, _ in begun:
            url = f"{stack.env['CATALOG_URL']}/catalog/orders/{order['id']}/cancel"
            await shop.call("POST", url, headers=buyer, expect=200)
        for buyer, _, payment in begun:
            await shop.pay(payment["reference"])
            await shop.payment_reaches(buyer, payment["reference"], "succeeded")
        await told(invariants, "payments")
        await stack.stop("payments-worker")
    finally:
        await stack.start("catalog-worker")
    try:
        references = {payment["reference"] for _, _, payment in begun}

        async def refused() -> bool | None:
            rows = await invariants.rows("catalog", "SELECT reference FROM undeliverable_payments")
            return True if references <= {row["reference"] for row in rows} else None

        await until(refused)
        await told(invariants, "catalog")
        assert await waiting(stack, PAYMENTS_ORDERS.name) >= 3
        await lose(stack, PAYMENTS_ORDERS.name, how)
    finally:
        await stack.start("payments-worker")
    for buyer, _, payment in begun:
        refunded = await shop.payment_reaches(buyer, payment["reference"], "refunded")
        assert refunded["refunded_amount"] == 50_000
    assert await shop.stock(product) == 30


async def test_exchange_and_binding_are_deleted_while_purchases_run(shop: Shop, stack: Stack) -> None:
    product = await shop.product(stock=30)
    first = await bought(shop, product, 5)
    await delete(stack, exchange=EXCHANGE)
    second = await bought(shop, product, 5)
    async with await aio_pika.connect(stack.env["AMQP_URL"], timeout=5) as connection:
        queue = await (await connection.channel()).get_queue(CATALOG_PAYMENTS.name)
        await queue.unbind(EXCHANGE, CATALOG_PAYMENTS.bindings[0])
    third = await bought(shop, product, 5)
    await all_delivered(shop, [*first, *second, *third])


async def test_alarms_of_memory_and_disk_hold_up_no_webhook(shop: Shop, stack: Stack, control: BrokerControl) -> None:
    product = await shop.product(stock=30)
    begun = [await shop.begun(product) for _ in range(10)]
    async with control.alarm("memory"):
        await all_paid(shop, begun[:5])
        async with control.alarm("disk"):
            await all_paid(shop, begun[5:])
            assert {await shop.order_status(buyer, order) for buyer, order, _ in begun} == {"pending"}
    await all_delivered(shop, begun)


async def frozen(shop: Shop, stack: Stack, begun: list[tuple[Json, Json, Json]], seconds: float) -> None:
    group = os.getpgid(stack.pid("rabbitmq"))
    os.killpg(group, signal.SIGSTOP)
    try:
        await asyncio.gather(all_paid(shop, begun), asyncio.sleep(seconds))
        assert {await shop.order_status(buyer, order) for buyer, order, _ in begun} == {"pending"}
    finally:
        os.killpg(group, signal.SIGCONT)
    await all_delivered(shop, begun, 30)


async def test_a_frozen_broker_holds_up_no_webhook(shop: Shop, stack: Stack) -> None:
    product = await shop.product(stock=30)
    await frozen(shop, stack, [await shop.begun(product) for _ in range(10)], 0)


async def cut_while_purchases_run(shop: Shop, control: BrokerControl, count: int, cuts: int, pause: float) -> None:
    """All connections are closed again and again while buyers buy."""
    product = await shop.product(stock=count)
    slots = asyncio.Semaphore(5)

    async def one() -> tuple[Json, Json, Json]:
        async with slots:
            return await shop.bought(product)

    buying = asyncio.gather(*(one() for _ in range(count)))
    for _ in range(cuts):
        await control("close_all_connections", "a test of what follows")
        await asyncio.sleep(pause)
    await all_delivered(shop, list(await buying))
    assert await shop.stock(product) == 0


async def test_connections_that_are_closed_while_purchases_run(shop: Shop, control: BrokerControl) -> None:
    await cut_while_purchases_run(shop, control, 40, 3, 0)


async def test_everybody_starts_without_a_broker_and_heals_when_it_comes(shop: Shop, stack: Stack) -> None:
    parts = ("auth", "auth-worker", "catalog", "catalog-worker", "payments", "payments-worker")
    await stack.stop("rabbitmq")
    try:
        for part in parts:
            os.kill(stack.pid(part), signal.SIGKILL)
        for part in parts:
            await alive(shop, stack, part)
        for part in WORKERS:
            answer = await readiness(shop, stack, part)
            assert answer is not None
            assert answer.status_code == 503
            assert "not consuming" in answer.text
        for part in set(parts) - set(WORKERS):
            await ready(shop, stack, part, HEALED_SECONDS)
        begun = [await shop.begun(await shop.product()) for _ in range(3)]
        await all_paid(shop, begun)
    finally:
        await stack.start("rabbitmq")
    for part in WORKERS:
        await ready(shop, stack, part, HEALED_SECONDS)
    await all_delivered(shop, begun)


@pytest.mark.drill
async def test_a_minute_without_a_broker(shop: Shop, stack: Stack) -> None:
    product = await shop.product(stock=600)
    begun = [await shop.begun(product) for _ in range(300)]
    await stack.stop("rabbitmq")
    try:
        took: list[float] = []
        for some in range(0, len(begun), 50):
            until_then = asyncio.sleep(10)
            found, _ = await asyncio.gather(all_paid(shop, begun[some : some + 50]), until_then)
            took += found
        print(f"webhooks while the broker was down: p99 {sorted(took)[int(0.99 * len(took))] * 1000:.0f} ms")
    finally:
        await stack.start("rabbitmq")
    began = time.monotonic()
    await all_delivered(shop, begun, 30)
    print(f"delivered {time.monotonic() - began:.1f} s after it was back")


@pytest.mark.drill
async def test_a_broker_that_is_frozen_for_a_minute(shop: Shop, stack: Stack) -> None:
    product = await shop.product(stock=60)
    await frozen(shop, stack, [await shop.begun(product) for _ in range(50)], 60)


@pytest.mark.drill
async def test_connections_that_are_closed_every_second_for_a_minute(
    shop: Shop, stack: Stack, control: BrokerControl
) -> None:
    def open_files() -> int:
        return sum(len(os.listdir(f"/proc/{stack.pid(part)}/fd")) for part in WORKERS)

    before = open_files()
    await cut_while_purchases_run(shop, control, 200, 40, 0.5)
    for part in WORKERS:
        await ready(shop, stack, part, HEALED_SECONDS)

    async def closed() -> bool | None:
        return True if open_files() <= before + 10 else None

    await until(closed)


@pytest.mark.drill
async def test_the_broker_is_killed_five_times(shop: Shop, stack: Stack) -> None:
    """Never within seconds of a queue's declaration: RabbitMQ 3.10 loses a quorum queue then."""
    product = await shop.product(stock=300)
    purchases = []
    for _ in range(5):
        for _ in range(5):
            purchases += await bought(shop, product, 4)
            await asyncio.sleep(1.2)
        pid = stack.pid("rabbitmq")
        os.kill(pid, signal.SIGKILL)
        purchases += await bought(shop, product, 10)
        await stack.restarted("rabbitmq", pid)
        for part in WORKERS:
            await ready(shop, stack, part, 20)
    await all_delivered(shop, purchases, 30)
    assert await shop.stock(product) == 300 - len(purchases)
