"""Stock under concurrent orders, and in transactions that Postgres aborts."""

import asyncio
from uuid import UUID, uuid4

import httpx
import pytest

from tests.factories.catalog import Headers, create_product, place_order
from tests.fixtures.catalog import stock_of
from tests.fixtures.contention import BROKEN_UP, When, broken_up
from tests.fixtures.tokens import Signer

CONCURRENCY = 15
"""As many requests as there are database connections: a request that waits for a connection for three seconds gets a 503."""


@pytest.mark.parametrize("sqlstate", BROKEN_UP)
@pytest.mark.parametrize("when", ["at once", "at the commit"])
async def test_reserve_when_postgres_aborts_the_transaction_then_503_and_stock_is_unchanged(
    client: httpx.AsyncClient, customer: Headers, sqlstate: str, when: When
) -> None:
    cup, key = await create_product(stock=5), uuid4().hex
    async with broken_up("catalog", "orders", sqlstate, when):
        response = await place_order(client, customer, {cup: 2}, key)
        assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert await stock_of(cup) == 5
    assert (await place_order(client, customer, {cup: 2}, key)).status_code == 201
    assert await stock_of(cup) == 3


async def test_reserve_when_400_customers_order_at_once_then_exactly_the_stock_is_sold(
    client: httpx.AsyncClient, signer: Signer
) -> None:
    cup = await create_product(10)
    customers = [signer.headers(f"customer-{n}") for n in range(400)]
    concurrent = asyncio.Semaphore(CONCURRENCY)

    async def buy(headers: Headers) -> int:
        async with concurrent:
            return (await place_order(client, headers, {cup: 1})).status_code

    statuses = await asyncio.gather(*(buy(headers) for headers in customers))
    assert {code: statuses.count(code) for code in set(statuses)} == {201: 10, 409: 390}
    assert await stock_of(cup) == 0


async def test_reserve_when_orders_list_the_same_products_in_any_order_then_they_do_not_deadlock(
    client: httpx.AsyncClient, customer: Headers
) -> None:
    products = [await create_product(1000) for _ in range(5)]
    carts = [dict.fromkeys(products[n % 5 :] + products[: n % 5], 1) for n in range(60)]
    concurrent = asyncio.Semaphore(CONCURRENCY)

    async def buy(cart: dict[UUID, int]) -> int:
        async with concurrent:
            return (await place_order(client, customer, cart)).status_code

    assert set(await asyncio.gather(*(buy(cart) for cart in carts))) == {201}
    assert [await stock_of(each) for each in products] == [940] * 5


async def test_reserve_when_one_product_is_short_then_nothing_is_reserved(
    client: httpx.AsyncClient, customer: Headers
) -> None:
    enough, short, unlimited = await create_product(5), await create_product(1, name="Rare"), await create_product(None)
    response = await place_order(client, customer, {enough: 1, unlimited: 1, short: 2})
    assert response.status_code == 409
    assert [each["name"] for each in response.json()["products"]] == ["Rare"]
    assert (await stock_of(enough), await stock_of(short)) == (5, 1)
