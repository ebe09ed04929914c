"""A program or staff erase a customer of the program from its orders."""

from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select

from services.catalog.customers import erasure
from services.catalog.db import sessions
from services.catalog.models import AuditLogEntry, IdempotencyKey
from services.catalog.order_models import Order
from services.catalog.orders.models import OrderAddress
from tests.factories.catalog import ADDRESS, Headers, create_product, place_order
from tests.fixtures.programs import CHIDI, program_headers
from tests.fixtures.tokens import Signer

PERSONAL = ("Chidi", "2348012345678", "c-1017", ADDRESS["lines"][0], ADDRESS["phone"])


async def erase(client: httpx.AsyncClient, headers: Headers, body: Any, program: str = "merchant") -> httpx.Response:
    return await client.post(f"/catalog/programs/{program}/customers/erase", json=body, headers=headers)


async def order(client: httpx.AsyncClient, headers: Headers, key: str | None = None, **changes: Any) -> dict[str, Any]:
    """Place an order for Chidi with an address and metadata."""
    shipped = {await create_product(kind="shipped"): 1}
    fields: dict[str, Any] = {"customer": CHIDI | changes, "metadata": {"for": "Chidi"}}
    placed = await place_order(client, headers, shipped, key, ADDRESS, **fields)
    assert placed.status_code == 201, placed.text
    return dict(placed.json())


async def stored_text() -> str:
    """Return everything that the tables with customers contain."""
    async with sessions() as session:
        rows = [
            str(tuple(row))
            for table in (Order, OrderAddress, IdempotencyKey, AuditLogEntry)
            for row in await session.execute(select(*table.__table__.c))
        ]
    return "\n".join(rows)


@pytest.mark.parametrize("body", [{"external_id": "c-1017"}, {"email": "CHIDI@example.com"}, CHIDI])
async def test_erased_customer_is_in_no_table_and_the_orders_stay(
    client: httpx.AsyncClient, signer: Signer, body: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "BATCH", 2)
    merchant = program_headers(signer)
    orders = [await order(client, merchant, f"k-{number}") for number in range(3)]
    await client.post(f"/catalog/orders/{orders[0]['id']}/cancel", headers={**merchant, "Idempotency-Key": "cancel"})
    other = await order(client, merchant, "k-other", external_id="x-2", email="eve@example.com", name="Eve")
    text = await stored_text()
    assert all(each in text for each in PERSONAL)
    body = {name: body[name] for name in ("email", "external_id") if name in body}
    answer = await erase(client, merchant, body)
    assert (answer.status_code, answer.json()) == (200, {"orders": 3})
    shown = (await client.get(f"/catalog/orders/{orders[0]['id']}", headers=merchant)).json()
    nobody = {"id": "merchant", "email": None, "name": None, "phone": None, "external_id": None}
    assert (shown["customer"], shown["metadata"], shown["address"], shown["amount"]) == (
        nobody,
        {},
        None,
        orders[0]["amount"],
    )
    assert (await client.get(f"/catalog/orders/{other['id']}", headers=merchant)).json()["customer"]["name"] == "Eve"
    # What is left is that of the other customer.
    assert (await erase(client, merchant, {"external_id": "x-2"})).json() == {"orders": 1}
    text = await stored_text()
    assert [each for each in PERSONAL if each in text] == []
    assert (await erase(client, merchant, body)).json() == {"orders": 0}
    async with sessions() as session:
        entries = (await session.execute(select(AuditLogEntry.act, AuditLogEntry.actor, AuditLogEntry.after))).all()
    assert [tuple(entry) for entry in entries] == [
        ("customer.erased", "merchant", {"orders": 3}),
        ("customer.erased", "merchant", {"orders": 1}),
    ]


async def test_program_erases_only_its_own_customers_and_staff_those_of_any(
    client: httpx.AsyncClient, signer: Signer, customer: Headers
) -> None:
    merchant, other = program_headers(signer), program_headers(signer, "other-shop")
    placed, theirs = await order(client, merchant), await order(client, other)
    for headers in (other, customer, program_headers(signer, scopes=frozenset({"payments:write_for"}))):
        refused = await erase(client, headers, {"external_id": "c-1017"})
        assert (refused.status_code, refused.json()["code"]) == (403, "not_allowed")
    staff = signer.headers(scopes=frozenset({"orders:manage"}))
    assert (await erase(client, staff, {"external_id": "c-1017"})).json() == {"orders": 1}
    for each, headers, email in ((placed, merchant, None), (theirs, other, CHIDI["email"])):
        shown = (await client.get(f"/catalog/orders/{each['id']}", headers=headers)).json()
        assert shown["customer"]["email"] == email


async def test_account_with_the_same_address_keeps_its_orders(client: httpx.AsyncClient, signer: Signer) -> None:
    headers = signer.headers(email=CHIDI["email"], name="Chidi Eze")
    mine = (await place_order(client, headers, {await create_product(): 1})).json()
    assert (await erase(client, program_headers(signer), {"email": CHIDI["email"]})).json() == {"orders": 0}
    async with sessions() as session:
        found = await session.scalar(select(Order.customer_email).where(Order.id == UUID(mine["id"])))
    assert found == CHIDI["email"]


@pytest.mark.parametrize("body", [{}, {"email": None}, {"email": "chidi"}, {"external_id": ""}, {"name": "Chidi"}])
async def test_erasure_that_names_nobody_is_refused(client: httpx.AsyncClient, signer: Signer, body: Any) -> None:
    refused = await erase(client, program_headers(signer), body)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")


async def test_erase_when_the_key_is_repeated_then_the_first_response_is_returned(
    client: httpx.AsyncClient, signer: Signer
) -> None:
    merchant = program_headers(signer)
    await order(client, merchant)
    headers = merchant | {"Idempotency-Key": "erase-chidi"}
    first, second = [await erase(client, headers, {"external_id": "c-1017"}) for _ in range(2)]
    assert (first.status_code, second.status_code, first.json(), second.json()) == (
        200,
        200,
        {"orders": 1},
        {"orders": 1},
    )
    text = await stored_text()
    assert [each for each in PERSONAL if each in text] == []
