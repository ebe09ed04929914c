"""Addresses of orders: required for goods that are shipped, seen by the customer and staff, and erased."""

from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import select, text, update

from services.catalog.db import sessions
from services.catalog.orders import addresses
from services.catalog.orders.countries import COUNTRIES
from services.catalog.orders.models import Fulfilment, OrderAddress
from tests.factories.catalog import ADDRESS, Headers, create_order, create_product, fulfil, place_order
from tests.factories.events import payment_succeeded
from tests.fixtures.audit import audit_entries
from tests.fixtures.catalog import handle_events


async def address_of(client: httpx.AsyncClient, headers: Headers, order: UUID) -> object:
    """Return the address of an order as the caller sees it."""
    return (await client.get(f"/catalog/orders/{order}", headers=headers)).json()["address"]


async def shipped_order(client: httpx.AsyncClient, editor: Headers, customer: Headers, *, units: int = 1) -> UUID:
    """Place an order of one unit, pay for it, and ship so many units with the tracking number GIG-1."""
    cup = await create_product(5, kind="shipped")
    order = await create_order(client, customer, {cup: 1}, ADDRESS)
    await handle_events(payment_succeeded(order, f"pay-{order}"))
    if units:
        answer = await fulfil(client, editor, order, {cup: units}, step="ship", tracking="GIG-1")
        assert answer.status_code == 201, answer.text
    return order


async def test_place_when_a_product_is_shipped_then_an_address_is_required_and_the_customer_and_staff_see_it(
    client: httpx.AsyncClient, editor: Headers, customer: Headers, other_customer: Headers
) -> None:
    cup, book, key = await create_product(5, kind="shipped"), await create_product(5), uuid4().hex
    refused = await place_order(client, customer, {book: 1, cup: 1})
    assert (refused.status_code, refused.json()["code"]) == (422, "address_required")
    first, repeated = [await place_order(client, customer, {book: 1, cup: 1}, key, ADDRESS) for _ in range(2)]
    order = first.json()
    assert (first.status_code, order["address"]) == (201, ADDRESS)
    assert repeated.json() == order
    for headers in (customer, editor):
        assert (await client.get(f"/catalog/orders/{order['id']}", headers=headers)).json() == order
    mine = (await client.get("/catalog/orders", headers=customer)).json()["items"]
    assert mine == [order]
    assert (await client.get(f"/catalog/orders/{order['id']}", headers=other_customer)).status_code == 404


@pytest.mark.parametrize(("kind", "stored"), [("digital", False), ("service", True)])
async def test_place_when_nothing_is_shipped_then_an_address_is_kept_only_for_a_service(
    client: httpx.AsyncClient, customer: Headers, kind: str, stored: bool
) -> None:
    order = await place_order(client, customer, {await create_product(5, kind=kind): 1}, address=ADDRESS)
    assert order.json()["address"] == (ADDRESS if stored else None)
    async with sessions() as session:
        assert ((await session.execute(select(OrderAddress.order_id))).first() is not None) == stored


async def test_place_when_only_the_required_fields_are_given_then_the_others_are_null(
    client: httpx.AsyncClient, customer: Headers
) -> None:
    short = {"name": "Ada", "lines": ["12 Broad Street"], "city": "Lagos", "country": "NG"}
    cup = await create_product(5, kind="shipped")
    order = (await place_order(client, customer, {cup: 1}, address=short)).json()
    assert order["address"] == {**short, "region": None, "postal_code": None, "phone": None}


@pytest.mark.parametrize(
    "fields",
    [{"name": ""}, {"name": None}, {"name": "x" * 101}, {"name": "a\nb"}, {"lines": []}, {"lines": ["a"] * 5}, {"lines": [""]},
     {"lines": ["x" * 101]}, {"city": " "}, {"region": "x" * 101}, {"postal_code": "x" * 21}, {"postal_code": "10\n12"},
     {"country": "ng"}, {"country": "XX"}, {"country": "NGA"}, {"country": "UK"}, {"phone": "call me"}, {"phone": "1" * 32},
     {"postal_code": ""}, {"planet": "x"}],
)  # fmt: skip
async def test_place_when_a_field_of_the_address_is_invalid_then_422(
    client: httpx.AsyncClient, customer: Headers, fields: dict[str, Any]
) -> None:
    cup = await create_product(5, kind="shipped")
    refused = await place_order(client, customer, {cup: 1}, address={**ADDRESS, **fields})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request"), refused.text


def test_countries_are_the_249_codes_of_iso_3166() -> None:
    assert len(set(COUNTRIES)) == len(COUNTRIES) == 249
    assert list(COUNTRIES) == sorted(COUNTRIES)
    assert {"NG", "GH", "ZA", "KE", "CI"} <= set(COUNTRIES)


async def test_erase_when_the_order_is_shipped_then_nothing_of_the_address_is_left(
    client: httpx.AsyncClient, editor: Headers, customer: Headers
) -> None:
    cup, key = await create_product(5, kind="shipped"), uuid4().hex
    order = UUID((await place_order(client, customer, {cup: 1}, key, ADDRESS)).json()["id"])
    url = f"/catalog/orders/{order}/address"
    for events in ((), (payment_succeeded(order, "r1"),)):
        await handle_events(*events)
        refused = await client.delete(url, headers=customer)
        assert (refused.status_code, refused.json()["code"]) == (409, "address_still_needed")
    await fulfil(client, editor, order, {cup: 1}, step="ship", tracking="GIG-1")
    for _ in range(2):
        assert (await client.delete(url, headers=customer)).status_code == 204
    shown = (await client.get(f"/catalog/orders/{order}", headers=customer)).json()
    assert (shown["address"], shown["fulfilments"][0]["tracking"]) == (None, None)
    repeated = await place_order(client, customer, {cup: 1}, key, ADDRESS)
    assert (repeated.json()["id"], repeated.json()["address"]) == (str(order), None)
    async with sessions() as session:
        for table in ("order_addresses", "fulfilments", "idempotency_keys"):
            rows = await session.scalars(text(f"SELECT CAST(t AS text) FROM {table} AS t"))
            assert not [row for row in rows if "Broad Street" in row or "GIG-1" in row], table
    entries = await audit_entries(client, "catalog", editor, subject=str(order))
    assert [entry["act"] for entry in entries] == ["order.address_erased", "order.fulfilled"]
    assert "Broad Street" not in str(entries)


async def test_erase_when_the_caller_is_staff_then_any_address_is_erased_and_the_order_cannot_be_shipped(
    client: httpx.AsyncClient, editor: Headers, customer: Headers, other_customer: Headers
) -> None:
    order = await shipped_order(client, editor, customer, units=0)
    url = f"/catalog/orders/{order}/address"
    assert (await client.delete(url, headers=other_customer)).status_code == 404
    assert await address_of(client, customer, order) == ADDRESS
    assert (await client.delete(url, headers=editor)).status_code == 204
    assert await address_of(client, customer, order) is None
    (item,) = (await client.get(f"/catalog/orders/{order}", headers=customer)).json()["items"]
    units = {UUID(item["product_id"]): 1}
    for fields in ({"step": "ship"}, {"step": "deliver", "tracking": "GIG-1"}):
        refused = await fulfil(client, editor, order, units, **fields)
        assert (refused.status_code, refused.json()["code"]) == (409, "address_erased")
    assert (await fulfil(client, editor, order, units, step="deliver")).status_code == 201


async def test_tracking_when_the_order_never_had_an_address_then_it_is_refused(
    client: httpx.AsyncClient, editor: Headers, customer: Headers
) -> None:
    repair = await create_product(5, kind="service")
    order = await create_order(client, customer, {repair: 1})
    await handle_events(payment_succeeded(order, f"pay-{order}"))
    refused = await fulfil(client, editor, order, {repair: 1}, step="deliver", tracking="GIG-1")
    assert (refused.status_code, refused.json()["code"]) == (409, "address_erased")
    assert refused.json()["detail"].startswith("The order has no address (erased, or never given).")
    assert (await fulfil(client, editor, order, {repair: 1}, step="deliver")).status_code == 201


async def test_prune_when_orders_are_older_than_24_months_then_their_addresses_are_erased_in_batches(
    client: httpx.AsyncClient, editor: Headers, customer: Headers
) -> None:
    old = [await shipped_order(client, editor, customer) for _ in range(3)]
    recent = await shipped_order(client, editor, customer)
    async with sessions.begin() as session:
        for order, age in (*((each, "24 months 1 hour") for each in old), (recent, "23 months")):
            aged = update(OrderAddress).where(OrderAddress.order_id == order)
            await session.execute(aged.values(created_at=text(f"now() - interval '{age}'")))
    for expected in (2, 1, 0):
        async with sessions.begin() as session:
            assert await addresses.prune(session, 2) == expected
    assert [await address_of(client, customer, order) for order in (*old, recent)] == [None, None, None, ADDRESS]
    async with sessions() as session:
        tracking = select(Fulfilment.tracking).order_by(Fulfilment.id)
        assert list(await session.scalars(tracking)) == [None, None, None, "GIG-1"]
