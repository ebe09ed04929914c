"""Many at once for what there is little of."""

import asyncio
from collections import Counter
from uuid import uuid4

import pytest

from tests.system.invariants import Invariants
from tests.system.shop import Json, Shop

pytestmark = pytest.mark.usefixtures("invariants")


async def rush(shop: Shop, product: Json, stock: int, buyers: int) -> list[tuple[Json, Json]]:
    """So many buyers at once for what there is; those who got one, with their orders. Everybody else hears that it is sold out."""
    body = {"items": [{"product_id": product["id"], "quantity": 1}]}
    url = f"{shop.env['CATALOG_URL']}/catalog/orders"

    async def buy() -> tuple[Json, int, Json]:
        buyer = shop.bearer()
        answer = await shop.retry("POST", url, json=body, headers={**buyer, "Idempotency-Key": uuid4().hex})
        return buyer, answer.status_code, answer.json()

    answers = await asyncio.gather(*(buy() for _ in range(buyers)))
    assert Counter(status for _, status, _ in answers) == {201: stock, 409: buyers - stock}
    assert {body["code"] for _, status, body in answers if status == 409} == {"out_of_stock"}
    assert await shop.stock(product) == 0
    return [(buyer, order) for buyer, status, order in answers if status == 201]


async def test_four_hundred_buyers_for_the_last_ten_items(shop: Shop) -> None:
    product = await shop.product(stock=10)
    for buyer, order in await rush(shop, product, 10, 400):
        await shop.pay((await shop.start(buyer, order))["reference"])
        await shop.delivered(buyer, order)
    deliveries = await Invariants(shop.stack).rows(
        "catalog",
        f"SELECT 1 FROM deliveries JOIN order_items USING (order_id) WHERE product_id = '{product['id']}'",
    )
    assert len(deliveries) == 10


@pytest.mark.drill
@pytest.mark.parametrize(("stock", "buyers"), [(10, 400), (1, 100)])
async def test_fifty_rushes(shop: Shop, stock: int, buyers: int) -> None:
    for _ in range(50):
        await rush(shop, await shop.product(stock=stock), stock, buyers)


async def test_one_key_twenty_times_at_once_starts_one_payment(shop: Shop) -> None:
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
