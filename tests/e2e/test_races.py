"""Many requests at the same time for the same stock, and with the same idempotency key."""

import asyncio
from uuid import uuid4

import pytest

from dev.chaos.invariants import Invariants
from tests.fixtures.order_rush import order_at_once
from tests.fixtures.stack_client import StackClient

pytestmark = pytest.mark.usefixtures("invariants")


async def test_four_hundred_orders_for_the_last_ten_units_sell_exactly_ten(shop: StackClient) -> None:
    product = await shop.product(stock=10)
    for buyer, order in await order_at_once(shop, product, stock=10, customers=400):
        await shop.pay((await shop.start_payment(buyer, order))["reference"])
        await shop.wait_delivered(buyer, order)
    deliveries = await Invariants(shop.stack).rows(
        "catalog",
        f"SELECT 1 FROM deliveries JOIN order_items USING (order_id) WHERE product_id = '{product['id']}'",
    )
    assert len(deliveries) == 10


async def test_one_idempotency_key_twenty_times_at_once_starts_one_payment(shop: StackClient) -> None:
    buyer = shop.bearer()
    order = await shop.order(buyer, await shop.product())
    headers = {**buyer, "Idempotency-Key": uuid4().hex}
    url = f"{shop.env['PAYMENTS_URL']}/payments"
    asked = [shop.retry("POST", url, json={"order_id": order["id"]}, headers=headers) for _ in range(20)]
    answers = await asyncio.gather(*asked)
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    rows = await Invariants(shop.stack).rows("payments", f"SELECT 1 FROM payments WHERE order_id = '{order['id']}'")
    assert len(rows) == 1
    other = await shop.call("POST", url, json={"order_id": str(uuid4())}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
