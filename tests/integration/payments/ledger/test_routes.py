"""The ledger over HTTP: pages, filters, balances and who may read them."""

import httpx
import pytest

from tests.factories.payments import create_payment
from tests.fakes.paystack import charge
from tests.fixtures.payments_jobs import settle_charges
from tests.fixtures.tokens import ADMIN, Signer


async def test_entries_when_there_are_many_are_read_in_pages(
    client: httpx.AsyncClient, operator: dict[str, str]
) -> None:
    references = [(await create_payment()).reference for _ in range(5)]
    await settle_charges(*map(charge, references))  # one statement: all at the same time
    items, cursor = [], ""
    while True:
        params = {"limit": "3"} | ({"cursor": cursor} if cursor else {})
        page = (await client.get("/payments/ledger", params=params, headers=operator)).json()
        items += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len({(item["movement"], item["line"]) for item in items}) == len(items) == 20
    assert {item["reference"] for item in items} == set(references)
    assert sum(item["amount"] for item in items) == 0


async def test_entries_when_filtered_are_only_those(client: httpx.AsyncClient, operator: dict[str, str]) -> None:
    one, two = await create_payment(), await create_payment(currency="GHS")
    await settle_charges(charge(one.reference))
    await settle_charges(charge(two.reference, currency="GHS"))

    async def amounts(**params: str) -> list[int]:
        answer = await client.get("/payments/ledger", params=params, headers=operator)
        assert answer.status_code == 200, answer.text
        return [item["amount"] for item in answer.json()["items"]]

    assert await amounts(account="sales") == [-50_000, -50_000]
    assert await amounts(account="sales", currency="GHS") == [-50_000]
    assert sorted(await amounts(reference=one.reference)) == [-50_000, -750, 750, 50_000]
    assert await amounts(to="2020-01-01") == []
    assert len(await amounts(**{"from": "2020-01-01", "to": "2100-01-01T00:00:00+01:00"})) == 8
    assert await amounts(reference="pay-of-nobody") == []


@pytest.mark.parametrize("path", ["/payments/ledger", "/payments/ledger/balances", "/payments/ledger.csv"])
async def test_ledger_when_the_caller_may_not_read_all_payments_is_refused(
    client: httpx.AsyncClient, signer: Signer, path: str
) -> None:
    assert (await client.get(path)).status_code == 401
    assert (await client.get(path, headers=signer.headers())).status_code == 403
    assert (await client.get(path, headers=signer.headers(scopes=ADMIN))).status_code == 200


INVALID = [
    {"from": "yesterday"},
    {"to": "4649667258"},
    {"to": "0001-01-01T00:00:00+14:00"},
    {"to": "9999-12-31T23:59:59-14:00"},
    {"account": "mine"},
    {"currency": "naira"},
    {"reference": "a\x00b"},
    {"limit": "0"},
]


@pytest.mark.parametrize("params", INVALID, ids=str)
async def test_ledger_when_a_parameter_is_invalid_answers_422(
    client: httpx.AsyncClient, operator: dict[str, str], params: dict[str, str]
) -> None:
    answer = await client.get("/payments/ledger", params=params, headers=operator)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


@pytest.mark.parametrize("cursor", ["x", "WyJsZWRnZXIiLDEsMiwzXQ==x", "WyJsZWRnZXIiLDQwMDAwMDAwMDAwMDAwMDAwMDAsMSwxXQ"])
async def test_ledger_when_the_cursor_is_forged_answers_400(
    client: httpx.AsyncClient, operator: dict[str, str], cursor: str
) -> None:
    answer = await client.get("/payments/ledger", params={"cursor": cursor}, headers=operator)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor")


async def test_balances_are_listed_by_currency_and_account(client: httpx.AsyncClient, operator: dict[str, str]) -> None:
    one = await create_payment()
    await settle_charges(charge(one.reference))
    items = (await client.get("/payments/ledger/balances", headers=operator)).json()["items"]
    assert items == [
        {"currency": "NGN", "account": "fees", "balance": 750},
        {"currency": "NGN", "account": "paystack:receivable", "balance": 49_250},
        {"currency": "NGN", "account": "sales", "balance": -50_000},
    ]
    early = await client.get("/payments/ledger/balances", params={"to": "2020-01-01"}, headers=operator)
    assert early.json() == {"items": []}
