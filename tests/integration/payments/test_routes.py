"""Customers see their own payments, page by page, and nobody else's."""

import itertools
from datetime import UTC, datetime
from uuid import uuid4

import httpx
import pytest

from kit.pagination import encode_cursor
from services.payments.statuses import PaymentStatus
from tests.factories.payments import create_payment
from tests.fixtures.tokens import Signer


async def test_payments_are_visible_to_their_customer_and_to_operators(
    client: httpx.AsyncClient, customer: dict[str, str], operator: dict[str, str]
) -> None:
    mine, theirs = await create_payment(), await create_payment(customer_id="customer-2")
    assert (await client.get(f"/payments/{mine.reference}", headers=customer)).json()["reference"] == mine.reference
    unseen = await client.get(f"/payments/{theirs.reference}", headers=customer)
    nothing = await client.get("/payments/pay-nothing", headers=customer)
    assert (unseen.status_code, nothing.status_code) == (404, 404)
    assert unseen.json()["detail"] == nothing.json()["detail"]
    listed = (await client.get("/payments", headers=customer)).json()
    assert [item["reference"] for item in listed["items"]] == [mine.reference]
    everything = (await client.get("/payments", headers=operator)).json()
    assert len(everything["items"]) == 2


async def test_payments_without_a_token_answer_401(client: httpx.AsyncClient) -> None:
    for path in ("/payments", "/payments/pay-1"):
        answer = await client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
        assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_list_shows_pages_newest_first(client: httpx.AsyncClient, customer: dict[str, str]) -> None:
    created = [(await create_payment()).reference for _ in range(7)]
    seen: list[str] = []
    cursor = None
    for _ in range(4):
        params = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = (await client.get("/payments", params=params, headers=customer)).json()
        seen += [item["reference"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert seen == created[::-1]
    assert cursor is None


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "\x00",
        "é",
        encode_cursor("orders", 1),
        encode_cursor("payments", "1"),
        encode_cursor("payments", 2**80),
        "a" * 2001,
    ],
    ids=map(str, itertools.count()),  # the cursors differ in each process, and so would the names of the tests
)
async def test_list_when_the_cursor_is_forged_is_refused(
    client: httpx.AsyncClient, customer: dict[str, str], cursor: str
) -> None:
    answer = await client.get("/payments", params={"cursor": cursor}, headers=customer)
    assert answer.status_code == (422 if len(cursor) > 2000 else 400)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("params", [{"status": "paid"}, {"limit": "0"}, {"limit": "101"}, {"limit": "x"}])
async def test_list_when_a_parameter_is_invalid_answers_422(
    client: httpx.AsyncClient, signer: Signer, params: dict[str, str]
) -> None:
    answer = await client.get("/payments", params=params, headers=signer.headers())
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


@pytest.mark.parametrize("reference", ["a b", "é", "%00", "r" * 201, "'", "pay-1%0A"])
async def test_read_when_the_reference_is_invalid_answers_422(
    client: httpx.AsyncClient, signer: Signer, reference: str
) -> None:
    answer = await client.get(f"/payments/{reference}", headers=signer.headers())
    assert answer.status_code == 422


async def test_list_finds_the_payments_that_match_every_filter(
    client: httpx.AsyncClient, operator: dict[str, str]
) -> None:
    order = uuid4()
    old = await create_payment(order_id=order, status=PaymentStatus.FAILED, created_at=datetime(2026, 1, 5, tzinfo=UTC))
    new = await create_payment(order_id=order, created_at=datetime(2026, 1, 6, 12, tzinfo=UTC))
    other = await create_payment(customer_id="customer-2", created_at=datetime(2026, 1, 7, tzinfo=UTC))

    async def found(query: str) -> list[str]:
        response = await client.get(f"/payments?{query}", headers=operator)
        assert response.status_code == 200, response.text
        return [item["reference"] for item in response.json()["items"]]

    assert await found(f"order_id={order}") == [new.reference, old.reference]
    assert await found("customer=customer-2") == [other.reference]
    assert await found(f"reference={new.reference}") == [new.reference]
    assert await found("status=failed") == [old.reference]
    assert await found("status=failed&status=pending") == [other.reference, new.reference, old.reference]
    assert await found("from=2026-01-06") == [other.reference, new.reference]
    assert await found("to=2026-01-06T12:00:00Z") == [old.reference]
    assert await found("from=2026-01-06T13:00:00%2B01:00&to=2026-01-07") == [new.reference]
    assert await found(f"order_id={order}&status=pending") == [new.reference]
    assert await found(f"order_id={order}&customer=customer-2") == []
    assert await found("order_id=&customer=&reference=&status=&from=&to=") == await found("")


async def test_list_filters_do_not_show_payments_of_others(client: httpx.AsyncClient, signer: Signer) -> None:
    payment = await create_payment(customer_id="customer-2")
    for query in ("customer=customer-2", f"reference={payment.reference}", f"order_id={payment.order_id}"):
        response = await client.get(f"/payments?{query}", headers=signer.headers("customer-1"))
        assert (response.status_code, response.json()["items"]) == (200, []), query
