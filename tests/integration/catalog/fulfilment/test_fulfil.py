"""Staff pack, ship and deliver the units of paid orders, each unit once."""

import asyncio
from uuid import UUID, uuid4

import httpx
import pytest

from tests.factories.catalog import ADDRESS, Headers, create_order, create_product, fulfil, place_order
from tests.factories.events import PRICE, payment_refunded, payment_succeeded
from tests.fixtures.audit import audit_entries
from tests.fixtures.catalog import (
    deliveries,
    end_reservation,
    expire_orders,
    handle_events,
    status_of,
    stock_differences,
    stock_of,
    undeliverable_payments,
)
from tests.fixtures.tokens import ADMIN, Signer


async def paid_order(client: httpx.AsyncClient, headers: Headers, quantities: dict[UUID, int]) -> UUID:
    """Place an order with units that cost PRICE each, and pay for it with the reference of its id."""
    order = await create_order(client, headers, quantities, ADDRESS)
    await handle_events(payment_succeeded(order, f"pay-{order}", PRICE * sum(quantities.values())))
    return order


async def units(client: httpx.AsyncClient, headers: Headers, order: UUID) -> list[tuple[int, int, int]]:
    """Return how many units of each item are packed, shipped and delivered, as the customer sees it."""
    items = (await client.get(f"/catalog/orders/{order}", headers=headers)).json()["items"]
    return [(item["packed"], item["shipped"], item["delivered"]) for item in items]


async def test_fulfil_when_units_are_packed_shipped_and_delivered_then_the_order_is_delivered_with_the_last_one(
    client: httpx.AsyncClient, editor: Headers, customer: Headers
) -> None:
    cup = await create_product(5, kind="shipped")
    order = await paid_order(client, customer, {cup: 2})
    assert (await status_of(order), await stock_of(cup), await deliveries()) == ("paid", 3, {})
    for step, quantity, tracking, expected in (
        ("pack", 2, None, (2, 0, 0)),
        ("ship", 1, "GIG-1", (2, 1, 0)),
        ("deliver", 1, None, (2, 1, 1)),
        ("ship", 1, "GIG-2", (2, 2, 1)),
    ):
        answer = await fulfil(client, editor, order, {cup: quantity}, step=step, tracking=tracking)
        assert answer.status_code == 201, answer.text
        assert (answer.json()["step"], answer.json()["tracking"]) == (step, tracking)
        assert answer.json()["items"] == [{"variant_id": str(cup), "quantity": quantity}]
        assert await units(client, customer, order) == [expected]
        assert await status_of(order) == "paid"
    await fulfil(client, editor, order, {cup: 1}, step="deliver")
    shown = (await client.get(f"/catalog/orders/{order}", headers=customer)).json()
    assert (shown["status"], shown["payments"][0]["outcome"]) == ("delivered", "delivered")
    assert shown["delivered_at"] is not None
    assert [(each["step"], each["tracking"]) for each in shown["fulfilments"]] == [
        ("deliver", None), ("ship", "GIG-2"), ("deliver", None), ("ship", "GIG-1"), ("pack", None)
    ]  # fmt: skip
    assert await deliveries() == {order: f"pay-{order}"}
    url = f"/catalog/orders/{order}/fulfilments"
    first = (await client.get(url, params={"limit": 3}, headers=customer)).json()
    rest = (await client.get(url, params={"cursor": first["next_cursor"]}, headers=customer)).json()
    assert first["items"] + rest["items"] == shown["fulfilments"]
    entries = await audit_entries(client, "catalog", editor, subject=str(order))
    assert entries[-1]["after"] == {"step": "pack", "items": {str(cup): 2}}
    assert "GIG" not in str(entries), "audit entries are never erased"
    assert (await stock_of(cup), await stock_differences()) == (3, [])


async def test_fulfil_when_no_step_is_named_then_the_units_are_delivered_at_once(
    client: httpx.AsyncClient, editor: Headers, customer: Headers
) -> None:
    cup = await create_product(5, kind="shipped")
    order = await paid_order(client, customer, {cup: 2})
    await fulfil(client, editor, order, {cup: 2}, tracking="GIG-1")
    assert (await units(client, customer, order), await status_of(order)) == ([(2, 2, 2)], "delivered")


async def test_pay_when_an_order_has_items_of_every_kind_then_only_the_digital_one_is_delivered(
    client: httpx.AsyncClient, editor: Headers, customer: Headers
) -> None:
    kinds = ("digital", "service", "shipped")
    book, lesson, cup = [await create_product(5, kind=kind) for kind in kinds]
    order = await paid_order(client, customer, {book: 1, lesson: 1, cup: 1})
    assert await units(client, customer, order) == [(1, 1, 1), (0, 0, 0), (0, 0, 0)]
    shown = (await client.get(f"/catalog/orders/{order}", headers=customer)).json()
    assert [item["kind"] for item in shown["items"]] == list(kinds)
    assert (shown["status"], shown["delivered_at"], shown["payments"][0]["outcome"]) == ("paid", None, "paid")
    assert [await stock_of(each) for each in (book, lesson, cup)] == [4, 4, 4]
    for step in ("pack", "ship"):
        refused = await fulfil(client, editor, order, {lesson: 1}, step=step)
        assert (refused.status_code, refused.json()["code"]) == (422, "step_not_possible")
    again = await fulfil(client, editor, order, {book: 1})
    assert (again.status_code, again.json()["code"], again.json()["items"][0]["left"]) == (409, "over_fulfilled", 0)
    assert (await fulfil(client, editor, order, {lesson: 1})).status_code == 201
    assert await status_of(order) == "paid"
    assert (await fulfil(client, editor, order, {cup: 1})).status_code == 201
    assert await status_of(order) == "delivered"


async def test_pay_when_an_order_is_digital_then_it_is_delivered_at_once_and_staff_cannot_fulfil_it(
    client: httpx.AsyncClient, editor: Headers, customer: Headers
) -> None:
    book = await create_product(5)
    order = await paid_order(client, customer, {book: 2})
    assert (await status_of(order), await units(client, customer, order)) == ("delivered", [(2, 2, 2)])
    refused = await fulfil(client, editor, order, {book: 1})
    assert (refused.status_code, refused.json()["code"]) == (409, "over_fulfilled")


async def test_place_when_the_amount_is_zero_and_an_item_is_shipped_then_the_order_is_paid(
    client: httpx.AsyncClient, editor: Headers, customer: Headers
) -> None:
    sample, book = await create_product(5, price=0, kind="shipped"), await create_product(5, price=0)
    placed = (await place_order(client, customer, {sample: 1, book: 1}, address=ADDRESS)).json()
    order = UUID(placed["id"])
    assert (placed["status"], placed["delivered_at"]) == ("paid", None)
    assert (await client.get(f"/catalog/orders/{order}", headers=customer)).json() == placed
    assert [await stock_of(sample), await stock_of(book)] == [4, 4]
    await handle_events(payment_succeeded(order, "never-asked-for", 0))
    assert await status_of(order) == "paid"
    assert (await fulfil(client, editor, order, {sample: 1})).status_code == 201
    assert (await status_of(order), await deliveries()) == ("delivered", {order: None})


async def test_pay_when_an_order_with_goods_has_expired_then_it_is_paid_if_there_is_enough_stock(
    client: httpx.AsyncClient, customer: Headers
) -> None:
    cup = await create_product(1, kind="shipped")
    late = []
    for _ in range(2):
        late.append(await create_order(client, customer, {cup: 1}, ADDRESS))
        await end_reservation(late[-1])
        await expire_orders()
    await handle_events(*(payment_succeeded(order, f"late-{order}") for order in late))
    assert [await status_of(order) for order in late] == ["paid", "expired"]
    assert await undeliverable_payments() == [(f"late-{late[1]}", "expired_and_sold_out")]
    assert (await stock_of(cup), await stock_differences()) == (0, [])


async def test_fulfil_when_more_units_are_named_than_are_left_then_409_and_nothing_is_changed(
    client: httpx.AsyncClient, editor: Headers, customer: Headers
) -> None:
    cup, jar = await create_product(5, kind="shipped"), await create_product(5, kind="shipped", name="Jar")
    order = await paid_order(client, customer, {cup: 2, jar: 1})
    await fulfil(client, editor, order, {cup: 1}, step="ship")
    body = {"items": [{"variant_id": str(cup), "quantity": 1}] * 2 + [{"product_id": str(jar), "quantity": 1}]}
    refused = await client.post(f"/catalog/orders/{order}/fulfilments", json={**body, "step": "ship"}, headers=editor)
    assert (refused.status_code, refused.json()["code"]) == (409, "over_fulfilled")
    assert refused.json()["items"] == [{"variant_id": str(cup), "name": "Cup", "wanted": 2, "left": 1}]
    assert await units(client, customer, order) == [(1, 1, 0), (0, 0, 0)]


async def test_fulfil_when_two_members_of_staff_take_the_same_unit_then_one_succeeds(
    client: httpx.AsyncClient, editor: Headers, customer: Headers, signer: Signer
) -> None:
    cup = await create_product(50, kind="shipped")
    others = [editor, signer.headers("colleague", scopes=ADMIN)]
    for step in ["pack", "ship", "deliver"] * 7:
        order = await paid_order(client, customer, {cup: 1})
        answers = await asyncio.gather(*(fulfil(client, each, order, {cup: 1}, step=step) for each in others))
        assert sorted(answer.status_code for answer in answers) == [201, 409]
    assert await stock_differences() == []


async def test_fulfil_when_ten_requests_deliver_one_unit_each_of_five_then_five_succeed(
    client: httpx.AsyncClient, editor: Headers, customer: Headers
) -> None:
    cup = await create_product(50, kind="shipped")
    order = await paid_order(client, customer, {cup: 5})
    answers = await asyncio.gather(*(fulfil(client, editor, order, {cup: 1}, key=str(n)) for n in range(10)))
    assert sorted(answer.status_code for answer in answers) == [201] * 5 + [409] * 5
    assert (await status_of(order), await units(client, customer, order)) == ("delivered", [(5, 5, 5)])


async def test_fulfil_when_a_request_is_repeated_then_it_has_one_effect(
    client: httpx.AsyncClient, editor: Headers, customer: Headers
) -> None:
    cup, key = await create_product(5, kind="shipped"), uuid4().hex
    order = await paid_order(client, customer, {cup: 2})
    answers = [await fulfil(client, editor, order, {cup: 1}, step="ship", key=key) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201] * 3
    assert answers[1].json() == answers[2].json() == answers[0].json()
    assert await units(client, customer, order) == [(1, 1, 0)]
    other = await fulfil(client, editor, order, {cup: 2}, step="ship", key=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_fulfil_when_the_order_is_not_paid_or_refunded_then_409(
    client: httpx.AsyncClient, editor: Headers, customer: Headers
) -> None:
    cup = await create_product(5, kind="shipped")
    pending = await create_order(client, customer, {cup: 1}, ADDRESS)
    refunded = await paid_order(client, customer, {cup: 1})
    await handle_events(payment_refunded(refunded, f"pay-{refunded}"))
    for order, status in ((pending, "pending"), (refunded, "refunded")):
        refused = await fulfil(client, editor, order, {cup: 1})
        assert (refused.status_code, refused.json()["code"]) == (409, "order_not_paid")
        assert refused.json()["order_status"] == status


async def test_fulfil_when_the_units_are_not_in_stock_yet_then_409_until_they_are_received(
    client: httpx.AsyncClient, editor: Headers, customer: Headers
) -> None:
    cup = await create_product(0, kind="shipped")
    await client.patch(f"/catalog/products/{cup}/stock", json={"backorder_limit": 2}, headers=editor)
    order = await paid_order(client, customer, {cup: 2})
    refused = await fulfil(client, editor, order, {cup: 1})
    assert (refused.status_code, refused.json()["code"]) == (409, "units_missing")
    assert refused.json()["detail"].startswith("Not all units of these items are in stock: ")
    body = {"kind": "received", "quantity": 2, "reason": "test"}
    headers = editor | {"Idempotency-Key": uuid4().hex}
    await client.post(f"/catalog/products/{cup}/stock-movements", json=body, headers=headers)
    assert (await fulfil(client, editor, order, {cup: 2})).status_code == 201
    assert (await status_of(order), await stock_of(cup), await stock_differences()) == ("delivered", 2, [])


async def test_fulfil_when_the_product_was_changed_then_the_item_keeps_its_kind(
    client: httpx.AsyncClient, editor: Headers, customer: Headers
) -> None:
    cup = await create_product(5)
    before = await create_order(client, customer, {cup: 1})
    changed = await client.patch(
        f"/catalog/products/{cup}", json={"kind": "shipped"}, headers=editor | {"If-Match": "*"}
    )
    assert (changed.status_code, changed.json()["kind"]) == (200, "shipped")
    after = await create_order(client, customer, {cup: 1}, ADDRESS)
    await handle_events(payment_succeeded(before, "r1"), payment_succeeded(after, "r2"))
    assert [await status_of(before), await status_of(after)] == ["delivered", "paid"]


async def test_fulfil_when_the_item_or_the_order_is_unknown_then_it_is_refused(
    client: httpx.AsyncClient, editor: Headers, customer: Headers
) -> None:
    cup = await create_product(5, kind="shipped")
    order = await paid_order(client, customer, {cup: 1})
    refused = await fulfil(client, editor, order, {uuid4(): 1})
    assert (refused.status_code, refused.json()["code"]) == (422, "item_not_ordered")
    unknown = await fulfil(client, editor, uuid4(), {cup: 1})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "order_not_found")
    assert (await fulfil(client, customer, order, {cup: 1})).status_code == 403


@pytest.mark.parametrize(
    "fields",
    [{"step": "send"}, {"step": "pack", "tracking": "GIG-1"}, {"tracking": ""}, {"tracking": "x" * 101}, {"tracking": "a\nb"},
     {"items": []}, {"items": [{"quantity": 1}]}, {"items": [{"product_id": str(UUID(int=1)), "quantity": 0}]}, {"note": "x"}],
)  # fmt: skip
async def test_fulfil_when_a_field_is_invalid_then_422(
    client: httpx.AsyncClient, editor: Headers, fields: dict[str, object]
) -> None:
    body = {"items": [{"product_id": str(UUID(int=1)), "quantity": 1}], **fields}
    refused = await client.post(f"/catalog/orders/{uuid4()}/fulfilments", json=body, headers=editor)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")


async def test_list_fulfilments_when_the_order_belongs_to_another_customer_then_404_except_for_staff(
    client: httpx.AsyncClient, editor: Headers, customer: Headers, other_customer: Headers
) -> None:
    cup = await create_product(5, kind="shipped")
    order = await paid_order(client, customer, {cup: 1})
    await fulfil(client, editor, order, {cup: 1}, step="ship", tracking="GIG-1")
    url = f"/catalog/orders/{order}/fulfilments"
    assert (await client.get(url, headers=other_customer)).status_code == 404
    for headers in (customer, editor):
        assert [item["tracking"] for item in (await client.get(url, headers=headers)).json()["items"]] == ["GIG-1"]
