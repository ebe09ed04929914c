"""A program or staff erase a customer of the program from its payments."""

from typing import Any

import httpx
import pytest
from sqlalchemy import select

from services.payments.customers import erasure
from services.payments.db import sessions
from services.payments.models import AuditLogEntry, Dispute, IdempotencyKey, Payment
from tests.factories.payments import create_dispute
from tests.fakes.catalog import FakeCatalog
from tests.fixtures.payments_rows import find_payment
from tests.fixtures.programs import CHIDI, program_headers
from tests.fixtures.tokens import Signer

PERSONAL = ("Chidi", "2348012345678", "c-1017")
Headers = dict[str, str]
EVIDENCE = {"customer_email": CHIDI["email"], "customer_name": "Chidi Eze", "service_details": "Two cups"}


async def erase(client: httpx.AsyncClient, headers: Headers, body: Any, program: str = "merchant") -> httpx.Response:
    return await client.post(f"/payments/programs/{program}/customers/erase", json=body, headers=headers)


async def pay(client: httpx.AsyncClient, catalog: FakeCatalog, headers: Headers, key: str, **changes: Any) -> str:
    """Start a payment for Chidi with metadata, and return its reference."""
    body = {"order_id": catalog.add_order(), "customer": CHIDI | changes, "metadata": {"for": "Chidi"}}
    started = await client.post("/payments", json=body, headers={**headers, "Idempotency-Key": key})
    assert started.status_code == 201, started.text
    return str(started.json()["reference"])


async def stored_text() -> str:
    """Return everything that the tables with payers contain."""
    async with sessions() as session:
        rows = [
            str(tuple(row))
            for table in (Payment, Dispute, IdempotencyKey, AuditLogEntry)
            for row in await session.execute(select(*table.__table__.c))
        ]
    return "\n".join(rows)


@pytest.mark.parametrize("body", [{"external_id": "c-1017"}, {"email": "CHIDI@example.com"}])
async def test_erased_customer_is_in_no_table_and_the_payments_stay(
    client: httpx.AsyncClient,
    signer: Signer,
    catalog: FakeCatalog,
    body: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(erasure, "BATCH", 2)
    merchant = program_headers(signer)
    references = [await pay(client, catalog, merchant, f"k-{number}") for number in range(3)]
    await create_dispute(7, payment_id=(await find_payment(references[0])).id, evidence=EVIDENCE)
    eve = {"external_id": "x-2", "email": "eve@example.com", "name": "Eve"}
    other = await pay(client, catalog, merchant, "k-other", **eve)
    text = await stored_text()
    assert all(each in text for each in PERSONAL)
    assert (await erase(client, merchant, body)).json() == {"payments": 3}
    shown = (await client.get(f"/payments/{references[0]}", headers=merchant)).json()
    nobody = {"email": None, "name": None, "phone": None, "external_id": None}
    assert (shown["customer"], shown["metadata"], shown["amount"]) == (nobody, {}, 50_000)
    assert (await client.get(f"/payments/{other}", headers=merchant)).json()["customer"] == CHIDI | eve
    # The metadata and the telephone number of the other customer are the same.
    assert (await erase(client, merchant, {"external_id": "x-2"})).json() == {"payments": 1}
    text = await stored_text()
    assert [each for each in PERSONAL if each in text] == []
    assert "Two cups" in text
    assert (await erase(client, merchant, body)).json() == {"payments": 0}
    async with sessions() as session:
        entries = (await session.execute(select(AuditLogEntry.act, AuditLogEntry.actor, AuditLogEntry.after))).all()
    assert [tuple(entry) for entry in entries] == [
        ("customer.erased", "merchant", {"payments": 3}),
        ("customer.erased", "merchant", {"payments": 1}),
    ]


async def test_program_erases_only_its_own_customers_and_staff_those_of_any(
    client: httpx.AsyncClient, signer: Signer, catalog: FakeCatalog, customer: Headers
) -> None:
    merchant, other = program_headers(signer), program_headers(signer, "other-shop")
    mine, theirs = await pay(client, catalog, merchant, "k-1"), await pay(client, catalog, other, "k-1")
    for headers in (other, customer, program_headers(signer, scopes=frozenset({"orders:write_for"}))):
        refused = await erase(client, headers, {"external_id": "c-1017"})
        assert (refused.status_code, refused.json()["code"]) == (403, "not_allowed")
    staff = signer.headers(scopes=frozenset({"orders:manage"}))
    assert (await erase(client, staff, {"external_id": "c-1017"})).json() == {"payments": 1}
    assert ((await find_payment(mine)).email, (await find_payment(theirs)).email) == (None, CHIDI["email"])


@pytest.mark.parametrize("body", [{}, {"email": None}, {"email": "chidi"}, {"external_id": ""}, {"name": "Chidi"}])
async def test_erasure_that_names_nobody_is_refused(client: httpx.AsyncClient, signer: Signer, body: Any) -> None:
    refused = await erase(client, program_headers(signer), body)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")


async def test_erase_when_the_key_is_repeated_then_the_first_response_is_returned(
    client: httpx.AsyncClient, signer: Signer, catalog: FakeCatalog
) -> None:
    merchant = program_headers(signer)
    await pay(client, catalog, merchant, "k-1")
    headers = merchant | {"Idempotency-Key": "erase-chidi"}
    first, second = [await erase(client, headers, {"external_id": "c-1017"}) for _ in range(2)]
    assert (first.status_code, second.status_code) == (200, 200)
    assert (first.json(), second.json()) == ({"payments": 1}, {"payments": 1})
