"""Faults of the broker: no webhook waits for it, and every event is delivered once, without manual work."""

import os
import signal

import aio_pika
import pytest

from contracts.topology import CATALOG_PAYMENTS, EXCHANGE
from dev.chaos.invariants import Invariants
from dev.stack.stack import Stack
from tests.fixtures.broker_control import BrokerControl
from tests.fixtures.broker_faults import (
    READY_SECONDS,
    WORKERS,
    buy_many,
    cut_connections_during_purchases,
    delete_at_broker,
    freeze_broker,
    lose_queue,
    lose_queue_with_refunds,
    post_webhooks,
    queue_length,
    readiness,
    wait_alive,
    wait_all_delivered,
    wait_published,
    wait_ready,
)
from tests.fixtures.stack_client import StackClient

pytestmark = pytest.mark.usefixtures("invariants")


@pytest.mark.parametrize("how", ["deleted", "wiped"])
async def test_paid_orders_when_their_queue_is_lost_are_delivered(
    shop: StackClient, stack: Stack, invariants: Invariants, how: str
) -> None:
    await stack.stop("catalog-worker")
    try:
        purchases = await buy_many(shop, await shop.product(stock=30), 20)
        for buyer, _, payment in purchases:
            await shop.wait_payment_status(buyer, payment["reference"], "succeeded")
        await wait_published(invariants, "payments")
        assert await queue_length(stack, CATALOG_PAYMENTS.name) >= 20
        await lose_queue(stack, CATALOG_PAYMENTS.name, how)
    finally:
        # It declares the queue again, perhaps before the relay has checked the queue marker.
        await stack.start("catalog-worker")
    await wait_all_delivered(shop, purchases)


async def test_refunds_when_their_queue_is_deleted_are_carried_out(
    shop: StackClient, stack: Stack, invariants: Invariants
) -> None:
    await lose_queue_with_refunds(shop, stack, invariants, "deleted")


async def test_paid_orders_when_exchange_and_binding_are_deleted_are_delivered(shop: StackClient, stack: Stack) -> None:
    product = await shop.product(stock=30)
    first = await buy_many(shop, product, 5)
    await delete_at_broker(stack, exchange=EXCHANGE)
    second = await buy_many(shop, product, 5)
    async with await aio_pika.connect(stack.env["AMQP_URL"], timeout=5) as connection:
        queue = await (await connection.channel()).get_queue(CATALOG_PAYMENTS.name)
        await queue.unbind(EXCHANGE, CATALOG_PAYMENTS.bindings[0])
    third = await buy_many(shop, product, 5)
    await wait_all_delivered(shop, [*first, *second, *third])


async def test_webhooks_when_memory_and_disk_alarms_block_publishers_do_not_wait(
    shop: StackClient, stack: Stack, broker_control: BrokerControl
) -> None:
    product = await shop.product(stock=30)
    begun = [await shop.begin_purchase(product) for _ in range(10)]
    async with broker_control.alarm("memory"):
        await post_webhooks(shop, begun[:5])
        async with broker_control.alarm("disk"):
            await post_webhooks(shop, begun[5:])
            assert {await shop.order_status(buyer, order) for buyer, order, _ in begun} == {"pending"}
    await wait_all_delivered(shop, begun)


async def test_webhooks_when_the_broker_is_frozen_do_not_wait(shop: StackClient, stack: Stack) -> None:
    product = await shop.product(stock=30)
    await freeze_broker(shop, stack, [await shop.begin_purchase(product) for _ in range(10)], 0)


async def test_paid_orders_when_all_connections_are_closed_are_delivered(
    shop: StackClient, broker_control: BrokerControl
) -> None:
    await cut_connections_during_purchases(shop, broker_control, 40, 3, 0)


async def test_services_when_started_without_a_broker_are_ready_after_it_starts(
    shop: StackClient, stack: Stack
) -> None:
    processes = ("auth", "auth-worker", "catalog", "catalog-worker", "payments", "payments-worker")
    await stack.stop("rabbitmq")
    try:
        for process in processes:
            os.kill(stack.pid(process), signal.SIGKILL)
        for process in processes:
            await wait_alive(shop, stack, process)
        for process in WORKERS:
            answer = await readiness(shop, stack, process)
            assert answer is not None
            assert answer.status_code == 503
            assert "not consuming" in answer.text
        for process in set(processes) - set(WORKERS):
            await wait_ready(shop, stack, process, READY_SECONDS)
        begun = [await shop.begin_purchase(await shop.product()) for _ in range(3)]
        await post_webhooks(shop, begun)
    finally:
        await stack.start("rabbitmq")
    for process in WORKERS:
        await wait_ready(shop, stack, process, READY_SECONDS)
    await wait_all_delivered(shop, begun)
