"""Customers see whether a product can be ordered, and the number of units only if they ask for it."""

from uuid import UUID

import httpx

from tests.factories.catalog import Headers, place_order, post_product


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
    client: httpx.AsyncClient, editor: Headers, customer: Headers
) -> None:
    mug = await post_product(client, editor, stock=1000, low_stock=10)
    url = f"/catalog/products/{mug['id']}"
    plain = (await client.get(url)).headers["etag"]
    exact = (await client.get(url, params={"include": "stock"})).headers["etag"]
    assert exact != plain
    assert (await place_order(client, customer, {UUID(mug["id"]): 100})).status_code == 201
    assert (await client.get(url)).headers["etag"] == plain
    assert (await client.get(url, params={"include": "stock"})).headers["etag"] != exact
    assert (await client.get(url, params={"include": "everything"})).status_code == 422
