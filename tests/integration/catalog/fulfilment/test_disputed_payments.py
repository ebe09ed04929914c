"""Disputes change no order: a delivered order stays delivered, and only the refund of a lost dispute makes it refunded."""

import httpx
import pytest

from tests.factories.catalog import Headers, create_order, create_product
from tests.factories.events import dispute_resolved, payment_disputed, payment_refunded, payment_succeeded
from tests.fixtures.catalog import deliveries, handle_events, status_of, stock_of, undeliverable_payments


@pytest.mark.parametrize("lost", [False, True])
async def test_handle_when_a_payment_is_disputed_then_the_order_stays_delivered(
    client: httpx.AsyncClient, customer: Headers, lost: bool
) -> None:
    cup = await create_product(5)
    order_id = await create_order(client, customer, {cup: 1})
    events = [
        payment_disputed(order_id, "r1"),
        payment_succeeded(order_id, "r1"),
        dispute_resolved(order_id, "r1", lost=lost),
    ]
    await handle_events(*events)
    await handle_events(*reversed(events))
    assert await status_of(order_id) == "delivered"
    assert await deliveries() == {order_id: "r1"}
    assert await stock_of(cup) == 4
    assert await undeliverable_payments() == []


async def test_handle_when_a_lost_dispute_is_refunded_then_the_order_is_refunded(
    client: httpx.AsyncClient, customer: Headers
) -> None:
    cup = await create_product(5)
    order_id = await create_order(client, customer, {cup: 1})
    await handle_events(payment_succeeded(order_id, "r1"))
    await handle_events(dispute_resolved(order_id, "r1", lost=True))
    await handle_events(payment_refunded(order_id, "r1"))
    assert (await status_of(order_id), await stock_of(cup)) == ("refunded", 4)
