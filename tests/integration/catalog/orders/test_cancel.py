"""Cancellation of pending orders."""

import asyncio

import httpx

from tests.factories.catalog import Headers, create_order, create_product
from tests.factories.events import payment_succeeded
from tests.fixtures.catalog import handle_events, stock_of


async def test_cancel_when_repeated_concurrently_then_the_stock_is_released_once(
    client: httpx.AsyncClient, customer: Headers
) -> None:
    cup = await create_product(5)
    order_id = await create_order(client, customer, {cup: 2})
    url = f"/catalog/orders/{order_id}/cancel"
    responses = await asyncio.gather(*(client.post(url, headers=customer) for _ in range(8)))
    assert {response.status_code for response in responses} == {200}
    assert {response.json()["status"] for response in responses} == {"cancelled"}
    assert await stock_of(cup) == 5


async def test_cancel_when_the_order_is_delivered_then_409(client: httpx.AsyncClient, customer: Headers) -> None:
    order_id = await create_order(client, customer, {await create_product(5): 1})
    await handle_events(payment_succeeded(order_id, "r1"))
    refused = await client.post(f"/catalog/orders/{order_id}/cancel", headers=customer)
    assert (refused.status_code, refused.json()["code"], refused.json()["order_status"]) == (
        409,
        "order_not_pending",
        "delivered",
    )
