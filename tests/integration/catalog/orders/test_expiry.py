"""Expiry of pending orders, and payments that come afterwards."""

import httpx

from services.catalog.db import sessions
from services.catalog.fulfilment import deliver
from tests.factories.catalog import Headers, create_order, create_product
from tests.factories.events import payment_succeeded
from tests.fixtures.catalog import (
    end_reservation,
    expire_orders,
    handle_events,
    status_of,
    stock_of,
    undeliverable_payments,
)


async def test_expire_when_the_payment_comes_later_then_it_is_delivered_only_if_stock_suffices(
    client: httpx.AsyncClient, customer: Headers, other_customer: Headers
) -> None:
    cup = await create_product(1)
    order_id = await create_order(client, customer, {cup: 1})
    await end_reservation(order_id)
    assert await expire_orders() == 1
    assert (await status_of(order_id), await stock_of(cup)) == ("expired", 1)
    await handle_events(payment_succeeded(order_id, "late"))
    assert (await status_of(order_id), await stock_of(cup)) == ("delivered", 0)

    cup = await create_product(1)
    sold_out = await create_order(client, other_customer, {cup: 1})
    await end_reservation(sold_out)
    await expire_orders()
    await create_order(client, customer, {cup: 1})
    await handle_events(payment_succeeded(sold_out, "too-late"))
    assert await status_of(sold_out) == "expired"
    assert await undeliverable_payments() == [("too-late", "expired_and_sold_out")]
    assert await stock_of(cup) == 0


async def test_expire_when_the_order_is_being_delivered_then_it_is_skipped(
    client: httpx.AsyncClient, customer: Headers
) -> None:
    order_id = await create_order(client, customer, {await create_product(1): 1})
    await end_reservation(order_id)
    async with sessions.begin() as session:
        await deliver.handle(session, [payment_succeeded(order_id, "r1")])
        assert await expire_orders() == 0
    assert await expire_orders() == 0
    assert await status_of(order_id) == "delivered"
