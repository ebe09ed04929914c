"""An order of amount 0 is delivered once, without a payment."""

from uuid import UUID, uuid4

import httpx

from tests.factories.catalog import Headers, create_product, place_order
from tests.factories.events import payment_succeeded
from tests.fixtures.catalog import deliveries, handle_events, status_of, stock_of


async def test_place_when_the_amount_is_zero_then_the_order_is_delivered_at_once(
    client: httpx.AsyncClient, customer: Headers
) -> None:
    sample, key = await create_product(5, price=0), uuid4().hex
    first, repeated = [await place_order(client, customer, {sample: 2}, key) for _ in range(2)]
    order = first.json()
    assert (first.status_code, repeated.json()) == (201, order)
    assert (order["status"], order["amount"], order["payment_reference"]) == ("delivered", 0, None)
    assert order["delivered_at"] == order["created_at"]
    assert (await client.get(f"/catalog/orders/{order['id']}", headers=customer)).json() == order
    assert await deliveries() == {UUID(order["id"]): None}
    assert await stock_of(sample) == 3
    refused = await client.post(f"/catalog/orders/{order['id']}/cancel", headers=customer)
    assert (refused.status_code, refused.json()["code"]) == (409, "order_not_pending")


async def test_place_when_only_some_products_cost_nothing_then_the_order_waits_for_its_payment(
    client: httpx.AsyncClient, customer: Headers
) -> None:
    sample, cup = await create_product(5, price=0), await create_product(5, price=30_000)
    order = (await place_order(client, customer, {sample: 1, cup: 1})).json()
    assert (order["status"], order["amount"]) == ("pending", 30_000)
    await handle_events(payment_succeeded(UUID(order["id"]), "r1", 30_000))
    assert await status_of(UUID(order["id"])) == "delivered"
