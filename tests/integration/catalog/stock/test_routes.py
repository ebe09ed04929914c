"""Staff change the stock with movements, whose sums always equal the levels."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from services.catalog.db import sessions
from tests.factories.catalog import Headers, create_order, create_product, place_order
from tests.factories.events import PRICE, payment_refunded, payment_succeeded
from tests.fixtures.audit import audit_entries
from tests.fixtures.catalog import handle_events, status_of, stock_differences, stock_of
from tests.fixtures.owners import owner_sessions


async def move(
    client: httpx.AsyncClient, headers: Headers, product: UUID, kind: str, quantity: int, **fields: Any
) -> httpx.Response:
    body = {"kind": kind, "quantity": quantity, "reason": "test", **fields}
    key = {"Idempotency-Key": uuid4().hex}
    return await client.post(f"/catalog/products/{product}/stock-movements", json=body, headers=key | headers)


async def sell(client: httpx.AsyncClient, headers: Headers, product: UUID, quantity: int) -> UUID:
    """Place an order and pay for it. Return its id."""
    order = await create_order(client, headers, {product: quantity})
    await handle_events(payment_succeeded(order, f"paid-{order}", quantity * PRICE))
    return order


async def test_received_when_units_were_sold_meanwhile_then_nothing_is_lost(
    client: httpx.AsyncClient, editor: Headers, customer: Headers
) -> None:
    cup = await create_product(20)
    assert (await client.get(f"/catalog/products/{cup}/stock", headers=editor)).json()["on_hand"] == 20
    await sell(client, customer, cup, 8)
    received = await move(client, editor, cup, "received", 5)
    assert received.status_code == 201, received.text
    assert received.json() == {
        "on_hand": 17,
        "reserved": 0,
        "available": 17,
        "backorder_limit": 0,
        "affected_orders": [],
    }
    assert await stock_differences() == []


async def test_counted_when_an_order_is_cancelled_meanwhile_then_the_count_stays(
    client: httpx.AsyncClient, editor: Headers, customer: Headers
) -> None:
    cup = await create_product(14)
    order = await create_order(client, customer, {cup: 4})
    counted, cancelled = await asyncio.gather(
        move(client, editor, cup, "counted", 10, expected=14),
        client.post(f"/catalog/orders/{order}/cancel", headers=customer),
    )
    assert (counted.status_code, cancelled.status_code) == (201, 200)
    assert await stock_of(cup) == 10
    assert await stock_differences() == []


async def test_counted_when_expected_is_not_the_number_on_hand_then_409_with_the_true_number(
    client: httpx.AsyncClient, editor: Headers, customer: Headers
) -> None:
    cup = await create_product(20)
    await sell(client, customer, cup, 2)
    refused = await move(client, editor, cup, "counted", 15, expected=20)
    assert (refused.status_code, refused.json()["code"], refused.json()["on_hand"]) == (409, "stock_changed", 18)
    assert (await move(client, editor, cup, "counted", 15, expected=18)).json()["on_hand"] == 15


async def test_counted_when_fewer_are_there_than_reserved_then_the_pending_orders_are_shown_and_none_can_be_ordered(
    client: httpx.AsyncClient, editor: Headers, customer: Headers
) -> None:
    cup = await create_product(5)
    first, second = [await create_order(client, customer, {cup: 2}) for _ in range(2)]
    counted = (await move(client, editor, cup, "counted", 3, expected=5)).json()
    assert (counted["on_hand"], counted["reserved"], counted["available"]) == (3, 4, 0)
    assert counted["affected_orders"] == [str(second), str(first)]
    refused = await place_order(client, customer, {cup: 1})
    assert (refused.status_code, refused.json()["products"][0]["left"]) == (409, 0)
    assert (await client.get(f"/catalog/products/{cup}")).json()["availability"] == "out"


async def test_sell_when_fewer_are_there_than_reserved_then_paid_orders_wait_for_the_next_units(
    client: httpx.AsyncClient, editor: Headers, customer: Headers
) -> None:
    cup = await create_product(4)
    orders = [await create_order(client, customer, {cup: 2}) for _ in range(2)]
    await move(client, editor, cup, "counted", 3, expected=4)
    for order in orders:
        await handle_events(payment_succeeded(order, f"paid-{order}", 2 * PRICE))
        assert await status_of(order) == "delivered"
    waiting = (await client.get(f"/catalog/products/{cup}/stock", headers=editor)).json()
    assert (waiting["on_hand"], waiting["reserved"], waiting["affected_orders"]) == (1, 2, [])
    received = (await move(client, editor, cup, "received", 5)).json()
    assert (received["on_hand"], received["reserved"], received["available"]) == (4, 0, 4)
    assert await stock_differences() == []


async def test_received_when_fewer_units_come_than_paid_orders_wait_for_then_the_oldest_orders_get_them(
    client: httpx.AsyncClient, editor: Headers, customer: Headers
) -> None:
    cup = await create_product(0)
    url = f"/catalog/products/{cup}/stock"
    assert (await client.patch(url, json={"backorder_limit": 10}, headers=editor)).status_code == 200
    orders = [str(await sell(client, customer, cup, 1)) for _ in range(10)]
    assert (await move(client, editor, cup, "received", 5)).json()["on_hand"] == 0
    history = (await client.get(f"{url}-movements", params={"limit": 100}, headers=editor)).json()["items"]
    assert {item["order_id"] for item in history if item["kind"] == "sold"} == set(orders[:5])
    assert await stock_differences() == []


async def test_move_when_the_idempotency_key_is_repeated_then_it_counts_once_and_without_one_then_422(
    client: httpx.AsyncClient, editor: Headers
) -> None:
    cup, key = await create_product(1), {"Idempotency-Key": uuid4().hex}
    first, second = [await move(client, editor | key, cup, "received", 5) for _ in range(2)]
    assert (first.status_code, second.status_code, second.json()) == (201, 201, first.json())
    assert await stock_of(cup) == 6
    url, body = f"/catalog/products/{cup}/stock-movements", {"kind": "received", "quantity": 5, "reason": "x"}
    assert (await client.post(url, json=body, headers=editor)).status_code == 422


async def test_move_when_written_off_and_returned_then_the_history_shows_each_change(
    client: httpx.AsyncClient, editor: Headers, customer: Headers
) -> None:
    cup = await create_product(5, kind="service")
    order = await sell(client, customer, cup, 2)
    await handle_events(payment_refunded(order, f"paid-{order}", 2 * PRICE, 2 * PRICE))
    assert (await move(client, editor, cup, "written_off", 4)).json()["on_hand"] == 1
    refused = await move(client, editor, cup, "written_off", 2)
    assert (refused.status_code, refused.json()["code"], refused.json()["on_hand"]) == (409, "stock_too_low", 1)
    assert (await move(client, editor, cup, "returned", 1)).json()["on_hand"] == 2
    url = f"/catalog/products/{cup}/stock-movements"
    listed = (await client.get(url, params={"limit": 4}, headers=editor)).json()
    rest = (await client.get(url, params={"cursor": listed["next_cursor"]}, headers=editor)).json()
    found = [
        (item["kind"], item["on_hand_change"], item["reserved_change"]) for item in listed["items"] + rest["items"]
    ]
    assert found == [
        ("returned", 1, 0),
        ("written_off", -4, 0),
        ("returned", 2, 0),
        ("sold", -2, -2),
        ("reserved", 0, 2),
        ("received", 5, 0),
    ]
    assert {item["actor"] for item in listed["items"]} == {"editor", "payments"}
    acts = [
        (entry["before"], entry["after"]) for entry in await audit_entries(client, "catalog", editor, subject=str(cup))
    ]
    assert acts == [({"on_hand": 1}, {"on_hand": 2}), ({"on_hand": 5}, {"on_hand": 1})]
    assert await stock_differences() == []


async def test_received_when_the_stock_was_unlimited_then_it_is_limited_from_now_on(
    client: httpx.AsyncClient, editor: Headers, customer: Headers
) -> None:
    cup = await create_product(None)
    order = await create_order(client, customer, {cup: 3})
    assert (await client.get(f"/catalog/products/{cup}/stock", headers=editor)).status_code == 404
    assert (await move(client, editor, cup, "received", 7)).json()["available"] == 7
    assert (await client.post(f"/catalog/orders/{order}/cancel", headers=customer)).status_code == 200
    assert await stock_of(cup) == 7
    assert await stock_differences() == []


@pytest.mark.parametrize(
    "fields",
    [{"kind": "sold"}, {"kind": "reserved"}, {"quantity": 0}, {"quantity": -1}, {"quantity": 1.5}, {"quantity": 10**10},
     {"expected": 1}, {"kind": "counted"}, {"kind": "counted", "expected": -1}, {"reason": ""}, {"reason": None}, {"order_id": None}]
)  # fmt: skip
async def test_move_when_a_field_is_invalid_then_422(
    client: httpx.AsyncClient, editor: Headers, fields: dict[str, Any]
) -> None:
    cup = await create_product(5)
    body = {"kind": "received", "quantity": 1, "reason": "x", **fields}
    headers = editor | {"Idempotency-Key": uuid4().hex}
    refused = await client.post(f"/catalog/products/{cup}/stock-movements", json=body, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")
    assert await stock_of(cup) == 5


async def test_move_when_the_caller_has_no_scope_or_the_product_is_unknown_then_it_is_refused(
    client: httpx.AsyncClient, editor: Headers, customer: Headers
) -> None:
    cup = await create_product(5)
    assert (await move(client, customer, cup, "received", 1)).status_code == 403
    for url in (f"/catalog/products/{cup}/stock", f"/catalog/products/{cup}/stock-movements"):
        assert (await client.get(url, headers=customer)).status_code == 403
    unknown = await move(client, editor, uuid4(), "received", 1)
    assert (unknown.status_code, unknown.json()["code"]) == (404, "stock_not_found")


async def test_stock_movements_when_changed_or_deleted_then_the_database_refuses() -> None:
    await create_product(5)
    for statement in ("UPDATE stock_movements SET quantity = 1", "DELETE FROM stock_movements"):
        with pytest.raises(DBAPIError, match="append-only"):
            async with owner_sessions("catalog").begin() as session:
                await session.execute(text(statement))


async def test_check_stock_when_a_level_was_changed_in_another_way_then_it_is_found() -> None:
    cup = await create_product(5)
    assert await stock_differences() == []
    async with sessions.begin() as session:
        await session.execute(text("UPDATE stock_levels SET on_hand = 6"))
    (difference,) = await stock_differences()
    assert str(cup) in difference
    assert "the level is 6 on hand" in difference


async def test_stock_when_orders_receipts_and_cancellations_run_at_once_then_no_unit_is_lost_or_sold_twice(
    client: httpx.AsyncClient, editor: Headers, customer: Headers
) -> None:
    cup = await create_product(10)
    limit = asyncio.Semaphore(10)

    async def buy(number: int) -> str:
        async with limit:
            answer = await place_order(client, customer, {cup: 1})
            if answer.status_code != 201:
                return "refused"
            order = UUID(answer.json()["id"])
            if number % 3 == 0:
                await client.post(f"/catalog/orders/{order}/cancel", headers=customer)
                return "cancelled"
            await handle_events(payment_succeeded(order, f"r-{order}", PRICE))
            return "sold"

    async def receive() -> str:
        async with limit:
            assert (await move(client, editor, cup, "received", 2)).status_code == 201
        return "received"

    outcomes = await asyncio.gather(*(receive() if number % 8 == 7 else buy(number) for number in range(40)))
    level = (await client.get(f"/catalog/products/{cup}/stock", headers=editor)).json()
    assert (level["on_hand"], level["reserved"]) == (20 - outcomes.count("sold"), 0)
    assert await stock_differences() == []
