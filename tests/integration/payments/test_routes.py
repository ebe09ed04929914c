"""Customers see their own payments, page by page, and nobody else's."""

import httpx
import pytest

from kit.pagination import encode_cursor
from tests.factories.payments import create_payment
from tests.fixtures.tokens import Signer


async def test_payments_are_visible_to_their_customer_and_to_operators(
    client: httpx.AsyncClient, payer: dict[str, str], operator: dict[str, str]
) -> None:
    mine, theirs = await create_payment(), await create_payment(payer_id="payer-2")
    assert (await client.get(f"/payments/{mine.reference}", headers=payer)).json()["reference"] == mine.reference
    unseen = await client.get(f"/payments/{theirs.reference}", headers=payer)
    nothing = await client.get("/payments/pay-nothing", headers=payer)
    assert (unseen.status_code, nothing.status_code) == (404, 404)
    assert unseen.json()["detail"] == nothing.json()["detail"]
    listed = (await client.get("/payments", headers=payer)).json()
    assert [item["reference"] for item in listed["items"]] == [mine.reference]
    everything = (await client.get("/payments", headers=operator)).json()
    assert len(everything["items"]) == 2


async def test_payments_without_a_token_answer_401(client: httpx.AsyncClient) -> None:
    for path in ("/payments", "/payments/pay-1"):
        answer = await client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
        assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_list_shows_pages_newest_first(client: httpx.AsyncClient, payer: dict[str, str]) -> None:
    created = [(await create_payment()).reference for _ in range(7)]
    seen: list[str] = []
    cursor = None
    for _ in range(4):
        params = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = (await client.get("/payments", params=params, headers=payer)).json()
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
        "a" * 1001,
    ],
)
async def test_list_when_the_cursor_is_forged_is_refused(
    client: httpx.AsyncClient, payer: dict[str, str], cursor: str
) -> None:
    answer = await client.get("/payments", params={"cursor": cursor}, headers=payer)
    assert answer.status_code == (422 if len(cursor) > 1000 else 400)
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
