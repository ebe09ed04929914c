"""Long outages of the broker."""

import asyncio
import os
import signal
import time

import pytest

from dev.chaos.invariants import Invariants
from dev.stack.stack import Stack
from tests.fixtures.broker_control import BrokerControl
from tests.fixtures.broker_faults import (
    READY_SECONDS,
    WORKERS,
    buy_many,
    cut_connections_during_purchases,
    freeze_broker,
    lose_queue_with_refunds,
    post_webhooks,
    wait_all_delivered,
    wait_ready,
)
from tests.fixtures.stack_client import StackClient, until

pytestmark = [pytest.mark.drill, pytest.mark.usefixtures("invariants")]


async def test_webhooks_when_the_broker_is_down_for_a_minute_do_not_wait(shop: StackClient, stack: Stack) -> None:
    product = await shop.product(stock=600)
    begun = [await shop.begin_purchase(product) for _ in range(300)]
    await stack.stop("rabbitmq")
    try:
        took: list[float] = []
        for some in range(0, len(begun), 50):
            until_then = asyncio.sleep(10)
            found, _ = await asyncio.gather(post_webhooks(shop, begun[some : some + 50]), until_then)
            took += found
        print(f"webhooks while the broker was down: p99 {sorted(took)[int(0.99 * len(took))] * 1000:.0f} ms")
    finally:
        await stack.start("rabbitmq")
    began = time.monotonic()
    await wait_all_delivered(shop, begun, 30)
    print(f"delivered {time.monotonic() - began:.1f} s after it was back")


async def test_webhooks_when_the_broker_is_frozen_for_a_minute_do_not_wait(shop: StackClient, stack: Stack) -> None:
    product = await shop.product(stock=60)
    await freeze_broker(shop, stack, [await shop.begin_purchase(product) for _ in range(50)], 60)


async def test_workers_when_connections_are_closed_for_a_minute_release_them(
    shop: StackClient, stack: Stack, broker_control: BrokerControl
) -> None:
    def open_files() -> int:
        return sum(len(os.listdir(f"/proc/{stack.pid(process)}/fd")) for process in WORKERS)

    before = open_files()
    await cut_connections_during_purchases(shop, broker_control, 200, 40, 0.5)
    for process in WORKERS:
        await wait_ready(shop, stack, process, READY_SECONDS)

    async def closed() -> bool | None:
        return True if open_files() <= before + 10 else None

    await until(closed)


async def test_paid_orders_when_the_broker_is_killed_five_times_are_delivered(shop: StackClient, stack: Stack) -> None:
    """The broker is not killed within seconds of a queue's declaration: RabbitMQ 3.10 loses a quorum queue then."""
    product = await shop.product(stock=300)
    purchases = []
    for _ in range(5):
        for _ in range(5):
            purchases += await buy_many(shop, product, 4)
            await asyncio.sleep(1.2)
        pid = stack.pid("rabbitmq")
        os.kill(pid, signal.SIGKILL)
        purchases += await buy_many(shop, product, 10)
        await stack.wait_restarted("rabbitmq", pid)
        for process in WORKERS:
            await wait_ready(shop, stack, process, 20)
    await wait_all_delivered(shop, purchases, 30)
    assert await shop.stock(product) == 300 - len(purchases)


async def test_refunds_when_the_broker_lost_its_volume_are_carried_out(
    shop: StackClient, stack: Stack, invariants: Invariants
) -> None:
    await lose_queue_with_refunds(shop, stack, invariants, "wiped")
