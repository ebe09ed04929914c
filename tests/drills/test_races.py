"""Rushes for the last units of a product."""

import asyncio
from collections import Counter
from uuid import uuid4

import httpx
import pytest

from tests.fixtures.order_rush import order_at_once
from tests.fixtures.stack_client import StackClient

pytestmark = [pytest.mark.drill, pytest.mark.usefixtures("invariants")]


@pytest.mark.parametrize(("stock", "customers"), [(10, 400), (1, 100)])
async def test_fifty_rushes_sell_exactly_the_stock(shop: StackClient, stock: int, customers: int) -> None:
    for _ in range(50):
        await order_at_once(shop, await shop.product(stock=stock), stock=stock, customers=customers)


@pytest.mark.alone
async def test_400_connections_at_once_for_ten_units_get_ten_orders_and_no_503(shop: StackClient) -> None:
    """No client waits for another one or repeats a request. Twenty rounds."""
    url = f"{shop.env['CATALOG_URL']}/catalog/orders"
    limits = httpx.Limits(max_connections=400, max_keepalive_connections=400)
    async with httpx.AsyncClient(timeout=30, trust_env=False, limits=limits) as client:
        for _ in range(20):
            product = await shop.product(stock=10)
            body = {"items": [{"product_id": product["id"], "quantity": 1}]}
            headers = [{**shop.bearer(), "Idempotency-Key": uuid4().hex} for _ in range(400)]
            answers = await asyncio.gather(*(client.post(url, json=body, headers=each) for each in headers))
            assert Counter(answer.status_code for answer in answers) == {201: 10, 409: 390}
            assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"out_of_stock"}
            assert await shop.stock(product) == 0
