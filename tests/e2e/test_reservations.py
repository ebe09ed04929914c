"""A payment that can be completed keeps its order reserved: from Paystack's session timeout through the broker to the order."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.fixtures.session_timeout import session_timeout
from tests.fixtures.stack_client import Json, StackClient, until

pytestmark = pytest.mark.usefixtures("invariants")
TWO_HOURS = 7200


@pytest.fixture(autouse=True)
async def timeout_of_two_hours(shop: StackClient) -> AsyncIterator[None]:
    async with session_timeout(shop, TWO_HOURS):
        yield


async def wait_expires_at(shop: StackClient, buyer: Json, order: Json, expected: datetime) -> None:
    url = f"{shop.env['CATALOG_URL']}/catalog/orders/{order['id']}"

    async def reached() -> bool | None:
        answer = await shop.call("GET", url, headers=buyer, expect=200)
        return True if datetime.fromisoformat(answer.json()["expires_at"]) == expected else None

    await until(reached)


async def test_order_is_reserved_until_the_end_of_its_checkout_and_no_longer_after_the_payment_failed(
    shop: StackClient,
) -> None:
    buyer, order, payment = await shop.begin_purchase(await shop.product())
    payable_until = datetime.fromisoformat(payment["payable_until"])
    assert abs(payable_until - datetime.now(UTC) - timedelta(seconds=TWO_HOURS)) < timedelta(seconds=60)
    await wait_expires_at(shop, buyer, order, payable_until)
    await shop.pay(payment["reference"], outcome="failed")
    url = f"{shop.env['PAYMENTS_URL']}/payments/{payment['reference']}/verify"
    await shop.call("POST", url, headers=buyer)
    await shop.wait_payment_status(buyer, payment["reference"], "failed")
    await wait_expires_at(shop, buyer, order, datetime.fromisoformat(order["expires_at"]))
    assert await shop.order_status(buyer, order) == "pending"


async def test_payment_started_while_the_broker_is_down_extends_the_order_later(shop: StackClient) -> None:
    await shop.stack.stop("rabbitmq")
    try:
        buyer, order, payment = await shop.begin_purchase(await shop.product())
    finally:
        await shop.stack.start("rabbitmq")
    await wait_expires_at(shop, buyer, order, datetime.fromisoformat(payment["payable_until"]))
