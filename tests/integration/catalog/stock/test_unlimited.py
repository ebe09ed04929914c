"""Limited stock can become unlimited again."""

from uuid import uuid4

import httpx
import pytest

from tests.factories.catalog import Headers, create_order, create_product, place_order, post_product
from tests.factories.events import PRICE, payment_refunded, payment_succeeded
from tests.fixtures.audit import audit_entries
from tests.fixtures.catalog import end_reservation, expire_orders, handle_events, status_of, stock_differences


async def receive(client: httpx.AsyncClient, editor: Headers, url: str, quantity: int) -> httpx.Response:
    body = {"kind": "received", "quantity": quantity, "reason": "test"}
    return await client.post(f"{url}-movements", json=body, headers=editor | {"Idempotency-Key": uuid4().hex})


async def test_delete_stock_when_orders_are_pending_paid_and_waiting_then_all_of_them_go_on(
    client: httpx.AsyncClient, editor: Headers, customer: Headers
) -> None:
    cup = await create_product(5)
    url = f"/catalog/products/{cup}/stock"
    await client.patch(url, json={"backorder_limit": 5}, headers=editor)
    quantities = (2, 4, 2, 1, 1)
    orders = [await create_order(client, customer, {cup: quantity}) for quantity in quantities]
    sold, waiting, pending, cancelled, expired = orders
    for order, quantity in ((sold, 2), (waiting, 4)):  # three units are left for the second one
        await handle_events(payment_succeeded(order, f"paid-{order}", quantity * PRICE))
    await end_reservation(expired)
    await expire_orders()
    assert (await place_order(client, customer, {cup: 9})).status_code == 409

    assert (await client.delete(url, headers=editor)).status_code == 204
    assert (await client.get(url, headers=editor)).status_code == 404
    found = (await client.get(f"/catalog/products/{cup}", params={"include": "stock"})).json()
    assert (found["stock"], found["availability"]) == (None, "in_stock")
    assert await stock_differences() == []
    await create_order(client, customer, {cup: 900})

    received = await receive(client, editor, url, 3)
    assert (received.json()["on_hand"], received.json()["reserved"]) == (3, 0)
    await client.post(f"/catalog/orders/{cancelled}/cancel", headers=customer)
    await handle_events(
        payment_succeeded(pending, f"paid-{pending}", 2 * PRICE),
        payment_refunded(waiting, f"paid-{waiting}", 4 * PRICE, 4 * PRICE),
    )
    assert [await status_of(order) for order in (pending, waiting, cancelled)] == ["delivered", "refunded", "cancelled"]
    assert (await client.get(url, headers=editor)).json()["on_hand"] == 3
    assert await stock_differences() == []
    (entry,) = [
        entry
        for entry in await audit_entries(client, "catalog", editor, subject=str(cup))
        if entry["act"] == "stock.made_unlimited"
    ]
    assert entry["before"] == {"on_hand": 3, "reserved": 7}


@pytest.mark.parametrize("after", ["refunded", "paid late"])
async def test_delete_stock_when_an_order_is_refunded_or_paid_late_then_no_unit_moves(
    client: httpx.AsyncClient, editor: Headers, customer: Headers, after: str
) -> None:
    cup = await create_product(5)
    order = await create_order(client, customer, {cup: 2})
    if after == "refunded":
        await handle_events(payment_succeeded(order, f"paid-{order}", 2 * PRICE))
    else:
        await end_reservation(order)
        await expire_orders()
    url = f"/catalog/products/{cup}/stock"
    assert (await client.delete(url, headers=editor)).status_code == 204
    if after == "refunded":
        await handle_events(payment_refunded(order, f"paid-{order}", 2 * PRICE, 2 * PRICE))
    else:
        await handle_events(payment_succeeded(order, f"paid-{order}", 2 * PRICE))
    assert await status_of(order) == ("refunded" if after == "refunded" else "delivered")
    assert (await receive(client, editor, url, 7)).json()["available"] == 7
    assert await stock_differences() == []


async def test_stock_of_a_variant_when_it_gets_a_limit_and_becomes_unlimited_then_history_and_audit_log_show_it(
    client: httpx.AsyncClient, editor: Headers, customer: Headers
) -> None:
    shirt = await post_product(client, editor, name="Shirt", stock=None, options=["size"])
    body = {"options": {"size": "M"}, "stock": 3}
    medium = (await client.post(f"/catalog/products/{shirt['id']}/variants", json=body, headers=editor)).json()["id"]
    url = f"/catalog/variants/{medium}/stock"
    limited = await client.patch(url, json={"backorder_limit": 2}, headers=editor)
    assert (limited.status_code, limited.json()["backorder_limit"]) == (200, 2)
    assert (await client.patch(url, json={"backorder_limit": 2}, headers=customer)).status_code == 403
    assert (await receive(client, editor, url, 4)).json()["on_hand"] == 7
    assert (await client.delete(url, headers=customer)).status_code == 403
    assert (await client.delete(url, headers=editor)).status_code == 204
    assert (await client.delete(url, headers=editor)).status_code == 404
    first = (await client.get(f"{url}-movements", params={"limit": 2}, headers=editor)).json()
    rest = await client.get(f"{url}-movements", params={"cursor": first["next_cursor"]}, headers=editor)
    moved = [(item["kind"], item["on_hand_change"]) for item in first["items"] + rest.json()["items"]]
    assert moved == [("counted", -7), ("received", 4), ("received", 3)]
    log = await client.get(f"/catalog/products/{shirt['id']}/audit-log", headers=editor)
    acts = [(entry["act"], entry["before"]) for entry in log.json()["items"][:3]]
    assert acts == [
        ("stock.made_unlimited", {"variant_id": medium, "on_hand": 7, "reserved": 0}),
        ("stock.changed", {"variant_id": medium, "on_hand": 3}),
        ("stock.backorder_limit_changed", {"variant_id": medium, "backorder_limit": 0}),
    ]
