"""What clients see: their own payments, page by page, and nobody else's."""

import httpx
import pytest

from kit.pagination import encode_cursor
from tests.conftest import ADMIN, Signer
from tests.payments.conftest import payment


async def test_one_sees_what_is_ones_own(client: httpx.AsyncClient, signer: Signer) -> None:
    mine, theirs = await payment(), await payment(payer_id="payer-2")
    me = signer.headers("payer-1")
    assert (await client.get(f"/payments/{mine.reference}", headers=me)).json()["reference"] == mine.reference
    unseen = await client.get(f"/payments/{theirs.reference}", headers=me)
    nothing = await client.get("/payments/pay-nothing", headers=me)
    assert (unseen.status_code, nothing.status_code) == (404, 404)
    assert unseen.json()["detail"] == nothing.json()["detail"]
    listed = (await client.get("/payments", headers=me)).json()
    assert [item["reference"] for item in listed["items"]] == [mine.reference]
    everything = (await client.get("/payments", headers=signer.headers(scopes=ADMIN))).json()
    assert len(everything["items"]) == 2


async def test_without_a_token(client: httpx.AsyncClient) -> None:
    for path in ("/payments", "/payments/pay-1"):
        answer = await client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
        assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_pages(client: httpx.AsyncClient, signer: Signer) -> None:
    made = [(await payment()).reference for _ in range(7)]
    me = signer.headers("payer-1")
    seen: list[str] = []
    cursor = None
    for _ in range(4):
        params = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = (await client.get("/payments", params=params, headers=me)).json()
        seen += [item["reference"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert seen == made[::-1]
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
async def test_a_forged_cursor(client: httpx.AsyncClient, signer: Signer, cursor: str) -> None:
    answer = await client.get("/payments", params={"cursor": cursor}, headers=signer.headers())
    assert answer.status_code == (422 if len(cursor) > 1000 else 400)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("params", [{"status": "paid"}, {"limit": "0"}, {"limit": "101"}, {"limit": "x"}])
async def test_odd_questions(client: httpx.AsyncClient, signer: Signer, params: dict[str, str]) -> None:
    answer = await client.get("/payments", params=params, headers=signer.headers())
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


@pytest.mark.parametrize("reference", ["a b", "é", "%00", "r" * 201, "'", "pay-1%0A"])
async def test_odd_references(client: httpx.AsyncClient, signer: Signer, reference: str) -> None:
    answer = await client.get(f"/payments/{reference}", headers=signer.headers())
    assert answer.status_code == 422
