"""Staff read at the order that Paystack rejected a bank transfer of the payer."""

from uuid import UUID, uuid4

import httpx

from services.catalog.consumed_events import handle
from services.catalog.db import sessions
from tests.factories.catalog import Headers, create_order, create_product
from tests.factories.events import transfer_rejected
from tests.fixtures.catalog import status_of


async def test_rejected_transfer_when_its_event_is_repeated_is_noted_once_at_the_order(
    client: httpx.AsyncClient, customer: Headers, editor: Headers
) -> None:
    order_id = await create_order(client, customer, {await create_product(5): 1})
    event = transfer_rejected(order_id, "pay-1")
    for _ in range(2):
        async with sessions.begin() as session:
            assert await handle(session, [event, event]) == {}
    (note,) = (await client.get(f"/catalog/orders/{order_id}/notes", headers=editor)).json()["items"]
    assert note["author"] == "payments"
    assert "rejected a bank transfer of NGN 400.00 for payment pay-1 (INCORRECT_AMOUNT)" in note["text"]
    assert await status_of(order_id) == "pending"


async def test_rejected_transfer_when_its_event_contradicts_the_order_is_not_noted(
    client: httpx.AsyncClient, customer: Headers, editor: Headers
) -> None:
    order_id: UUID = await create_order(client, customer, {await create_product(5): 1})
    forged, unknown = transfer_rejected(order_id, "pay-1", amount=1), transfer_rejected(uuid4(), "pay-2")
    async with sessions.begin() as session:
        contradictions = await handle(session, [forged, unknown])
    assert contradictions == {
        forged.id: f"the event states NGN 0.01; the amount of order {order_id} is NGN 500.00",
    }
    assert (await client.get(f"/catalog/orders/{order_id}/notes", headers=editor)).json()["items"] == []
