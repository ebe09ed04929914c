"""Customers see whether a product can be ordered, and the number of units only if they ask for it."""

import asyncio
from uuid import UUID

import httpx

from tests.factories.catalog import Headers, place_order, post_product
from tests.fixtures.tokens import Signer


async def test_availability_when_units_are_ordered_then_it_falls_from_in_stock_to_out(
    client: httpx.AsyncClient, editor: Headers, customer: Headers
) -> None:
    mug = await post_product(client, editor, stock=6)
    url = f"/catalog/products/{mug['id']}"
    found = []
    for ordered in (0, 1, 4, 1):
        if ordered:
            assert (await place_order(client, customer, {UUID(mug["id"]): ordered})).status_code == 201
        shown = (await client.get(url)).json()
        assert "stock" not in shown
        exact = (await client.get(url, params={"include": "stock"})).json()
        (listed,) = (await client.get("/catalog/products")).json()["items"]
        assert (listed["availability"], "stock" in listed) == (shown["availability"], False)
        found.append((shown["availability"], exact["stock"]))
    assert found == [("in_stock", 6), ("low", 5), ("low", 1), ("out", 0)]
    (listed,) = (await client.get("/catalog/products", headers=editor)).json()["items"]
    assert listed["stock"] == 0


async def test_etag_when_100_orders_leave_the_product_in_stock_then_it_does_not_change(
    client: httpx.AsyncClient, editor: Headers, signer: Signer
) -> None:
    mug = await post_product(client, editor, stock=1000, low_stock=10)
    url = f"/catalog/products/{mug['id']}"
    plain = await client.get(url)
    exact = (await client.get(url, params={"include": "stock"})).headers["etag"]

    async def order_ten_times(headers: Headers) -> list[int]:
        return [(await place_order(client, headers, {UUID(mug["id"]): 1})).status_code for _ in range(10)]

    orders = await asyncio.gather(*(order_ten_times(signer.headers(f"buyer-{n}")) for n in range(10)))
    assert orders == [[201] * 10] * 10
    after = await client.get(url)
    assert (after.content, after.headers["etag"]) == (plain.content, plain.headers["etag"])
    assert (await client.get(url, params={"include": "stock"})).headers["etag"] != exact
    assert (await client.get(url, params={"include": "everything"})).status_code == 422
