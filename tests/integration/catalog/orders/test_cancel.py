"""Cancellation of pending orders."""

import asyncio

import httpx

from tests.factories.catalog import Headers, create_order, create_product
from tests.factories.events import payment_succeeded
from tests.fixtures.audit import audit_entries
from tests.fixtures.catalog import handle_events, stock_of
from tests.fixtures.tokens import Signer


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


async def test_cancel_when_staff_give_a_reason_then_the_customer_sees_it_and_it_is_recorded(
    client: httpx.AsyncClient, customer: Headers, editor: Headers
) -> None:
    cup = await create_product(5)
    order_id = await create_order(client, customer, {cup: 2})
    url = f"/catalog/orders/{order_id}"
    for body in (None, {}, {"reason": None}):
        refused = await client.post(f"{url}/cancel", json=body, headers=editor)
        assert (refused.status_code, refused.json()["code"]) == (422, "cancel_reason_required")
    for text in ("", "x" * 201, "one\ntwo"):
        assert (await client.post(f"{url}/cancel", json={"reason": text}, headers=editor)).status_code == 422
    assert (await stock_of(cup), await audit_entries(client, "catalog", editor)) == (3, [])
    for reason in ("Sold out at the supplier", "Another reason"):  # the second request changes nothing
        cancelled = await client.post(f"{url}/cancel", json={"reason": reason}, headers=editor)
        assert cancelled.status_code == 200, cancelled.text
    seen = (await client.get(url, headers=customer)).json()
    assert (seen["status"], seen["cancel_reason"]) == ("cancelled", "Sold out at the supplier")
    assert await stock_of(cup) == 5
    (entry,) = await audit_entries(client, "catalog", editor)
    assert (entry["act"], entry["actor"], entry["subject"]) == ("order.cancelled", "editor", str(order_id))
    assert (entry["before"], entry["after"]) == ({"status": "pending"}, {"status": "cancelled"})
    assert entry["reason"] == "Sold out at the supplier"


async def test_cancel_when_the_order_is_ones_own_then_no_reason_is_needed_and_nothing_is_recorded(
    client: httpx.AsyncClient, customer: Headers, editor: Headers
) -> None:
    cup = await create_product(5)
    for owner, body in ((customer, None), (customer, {"reason": "Ordered twice"}), (editor, {})):
        order_id = await create_order(client, owner, {cup: 1})
        cancelled = await client.post(f"/catalog/orders/{order_id}/cancel", json=body, headers=owner)
        assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
        assert cancelled.json()["cancel_reason"] == (body or {}).get("reason")
    assert await audit_entries(client, "catalog", editor) == []


async def test_cancel_when_another_account_wants_it_then_its_scopes_decide(
    client: httpx.AsyncClient, customer: Headers, signer: Signer
) -> None:
    order_id = await create_order(client, customer, {await create_product(5): 1})
    body = {"reason": "A reason"}
    for scopes, expected in (
        ({"orders:read", "catalog:write"}, 403),
        ({"orders:read", "orders:write"}, 404),
        ({"orders:manage"}, 200),
    ):
        caller = signer.headers("support", scopes=frozenset(scopes))
        response = await client.post(f"/catalog/orders/{order_id}/cancel", json=body, headers=caller)
        assert response.status_code == expected, response.text
