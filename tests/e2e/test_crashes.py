"""Kill, stop or freeze processes during purchases: every paid order is delivered exactly once, without manual work."""

import asyncio
import os
import random
import signal

import pytest

from dev.stack.stack import Stack
from tests.fixtures.crashes import PROCESSES, buy_while_killing
from tests.fixtures.stack_client import StackClient, charge_success

pytestmark = pytest.mark.usefixtures("invariants")


@pytest.mark.parametrize("process", PROCESSES)
async def test_paid_orders_when_a_process_is_killed_are_delivered_once(
    shop: StackClient, stack: Stack, process: str
) -> None:
    await buy_while_killing(shop, stack, process, kills=2, buyers=8, least=3)


async def test_webhooks_when_the_broker_is_down_are_processed(shop: StackClient, stack: Stack) -> None:
    product = await shop.product(stock=30)
    begun = [await shop.begin_purchase(product) for _ in range(20)]
    await stack.stop("rabbitmq")
    try:
        for _, _, payment in begun:
            assert (await shop.post_webhook(charge_success(payment["reference"]))).status_code == 200
        for buyer, _, payment in begun:
            await shop.wait_payment_status(buyer, payment["reference"], "succeeded")
    finally:
        await stack.start("rabbitmq")
    for buyer, order, _ in begun:
        await shop.wait_delivered(buyer, order)


async def test_webhook_when_postgres_is_down_is_answered_503_and_accepted_later(
    shop: StackClient, stack: Stack
) -> None:
    buyer, order, payment = await shop.begin_purchase(await shop.product())
    webhook = charge_success(payment["reference"])
    await stack.stop("postgres")
    try:
        for _ in range(5):
            answer = await shop.post_webhook(webhook)
            assert answer.status_code == 503
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["retry-after"]
    finally:
        await stack.start("postgres")
    await shop.wait_webhook_accepted(webhook)
    await shop.wait_delivered(buyer, order)


async def test_webhooks_when_postgres_is_frozen_are_answered_503_meanwhile(shop: StackClient, stack: Stack) -> None:
    group = os.getpgid(stack.pid("postgres"))
    webhook = {"event": "transfer.success", "data": {"id": random.randrange(10**12)}}
    os.killpg(group, signal.SIGSTOP)
    try:
        answers = await asyncio.gather(*(shop.post_webhook(webhook) for _ in range(10)))
        assert {answer.status_code for answer in answers} == {503}
    finally:
        os.killpg(group, signal.SIGCONT)
    await shop.wait_webhook_accepted(webhook)
