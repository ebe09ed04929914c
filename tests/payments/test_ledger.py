"""The books: every movement balanced, once, unchangeable, and readable."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from kit.auth import Caller
from services.payments.db import sessions
from services.payments.disputes import records
from services.payments.holds import review
from services.payments.ledger import csv_export, dispute_holds, journal, movements, queries
from services.payments.ledger.models import Payout
from services.payments.ledger.queries import Filter
from services.payments.models import Payment
from services.payments.paystack.charge import parse_charge
from services.payments.paystack.disputes import PaystackDispute
from services.payments.paystack.refunds import PaystackRefund
from services.payments.refunds.executor import DuePayment, RefundExecutor
from services.payments.settlement.settle import settle
from tests.conftest import ADMIN, Signer
from tests.payments.conftest import charge, clients, found, notifier, payment

OPERATOR = Caller(id="operator-1", email=None, scopes=frozenset({"payments:decide"}), token="")


async def pay(reference: str, **changes: Any) -> None:
    async with sessions.begin() as session:
        await settle(session, [parse_charge(charge(reference, **changes)["data"])])


async def balances() -> dict[str, dict[str, int]]:
    """By currency and account, as the database sums them; accounts at zero are left out."""
    query = "SELECT currency, account, sum(amount)::bigint FROM ledger_entries GROUP BY 1, 2 HAVING sum(amount) <> 0"
    async with sessions() as session:
        by_currency: dict[str, dict[str, int]] = {}
        for currency, account, balance in await session.execute(text(query)):
            by_currency.setdefault(currency, {})[account] = balance
    return by_currency


async def keys() -> list[str]:
    async with sessions() as session:
        return list((await session.execute(text("SELECT key FROM ledger_transactions ORDER BY id"))).scalars())


async def refund_processed(one: Payment, amount: int) -> None:
    """Paystack lists a refund that is over."""
    told = PaystackRefund(int(uuid4()) >> 70, amount, "processed", None)
    await RefundExecutor(sessions, clients().paystack, notifier())._sync(
        DuePayment(one.id, one.reference, one.paystack_id, 0, datetime.now(UTC), datetime.now(UTC)), [told]
    )


async def test_a_sale() -> None:
    one = await payment()
    for _ in range(3):
        await pay(one.reference)
    assert await balances() == {"NGN": {"paystack:receivable": 49_250, "fees": 750, "sales": -50_000}}
    assert await keys() == [f"received:{one.reference}", f"fee:{one.reference}"]


async def test_a_fee_that_is_not_known_yet_is_no_movement() -> None:
    one = await payment()
    await pay(one.reference, fees=None)
    assert await keys() == [f"received:{one.reference}"]


async def test_held_money_is_earned_when_a_person_accepts_it() -> None:
    one = await payment()
    await pay(one.reference, amount=49_000)
    assert await balances() == {"NGN": {"paystack:receivable": 48_250, "fees": 750, "held": -49_000}}
    async with sessions.begin() as session:
        await review.accept(session, one.reference, OPERATOR, "a regular")
    assert await balances() == {"NGN": {"paystack:receivable": 48_250, "fees": 750, "sales": -49_000}}


async def test_money_of_nobody_in_two_deliveries_at_once_is_held_once() -> None:
    await asyncio.gather(*(pay("dva-1", fees=None) for _ in range(8)))
    assert await balances() == {"NGN": {"paystack:receivable": 50_000, "held": -50_000}}


async def test_money_of_the_other_mode_is_not_owed_by_ours() -> None:
    one = await payment()
    await pay(one.reference, domain="live", fees=None)
    assert await balances() == {"NGN": {"paystack:other_mode": 50_000, "held": -50_000}}


async def test_currencies_are_apart() -> None:
    one, two = await payment(), await payment(currency="GHS")
    await pay(one.reference)
    await pay(two.reference, currency="GHS", fees=None)
    assert set(await balances()) == {"NGN", "GHS"}
    assert (await balances())["GHS"] == {"paystack:receivable": 50_000, "sales": -50_000}


async def test_what_was_given_back_before_we_heard_of_it_came_and_waits_to_be_looked_into() -> None:
    one = await payment()
    await pay(one.reference, status="reversed", fees=None)
    assert await balances() == {"NGN": {"paystack:receivable": 50_000, "held": -50_000}}
    row = await found(one.reference)
    assert (row.status, row.held_reason, row.paid_amount) == ("held", "reversed", 50_000)
    assert row.refunds_next_attempt_at is not None


async def test_refunds_of_sales_and_of_held_money() -> None:
    sold, kept = await payment(), await payment()
    await pay(sold.reference, fees=None)
    await pay(kept.reference, amount=60_000, fees=None)
    await refund_processed(sold, 10_000)
    await refund_processed(sold, 10_000)
    await refund_processed(kept, 60_000)
    assert await balances() == {"NGN": {"paystack:receivable": 30_000, "refunds": 20_000, "sales": -50_000}}


@pytest.mark.parametrize("lost", [False, True])
async def test_a_dispute_keeps_money_back_until_it_is_over(lost: bool) -> None:
    one = await payment()
    await pay(one.reference, fees=None)
    row = await found(one.reference)
    for amount in (30_000, 40_000):  # it may be about more by and by
        async with sessions.begin() as session:
            await dispute_holds.hold(session, row, 77, amount)
    assert await balances() == {"NGN": {"disputes": 30_000, "paystack:receivable": 20_000, "sales": -50_000}}
    for _ in range(2):
        async with sessions.begin() as session:
            await dispute_holds.release(session, row, 77, lost=lost)
    assert await balances() == {"NGN": {"paystack:receivable": 50_000, "sales": -50_000}}
    assert await keys() == [f"received:{one.reference}", "disputed:77", "dispute_over:77"]


async def test_a_lost_dispute_goes_through_the_books_to_its_refund() -> None:
    one = await payment()
    await pay(one.reference, fees=None)
    about = PaystackDispute(id=78, status="awaiting-merchant-feedback", reference=one.reference, amount=20_000)
    over = replace(about, status="resolved", resolution="merchant-accepted")
    for told in (about, about):
        async with sessions.begin() as session:
            await records.record(session, [told])
    assert await balances() == {"NGN": {"disputes": 20_000, "paystack:receivable": 30_000, "sales": -50_000}}
    for _ in range(2):
        async with sessions.begin() as session:
            await records.apply(session, over)
    assert await balances() == {"NGN": {"paystack:receivable": 50_000, "sales": -50_000}}
    await refund_processed(await found(one.reference), 20_000)
    assert await balances() == {"NGN": {"paystack:receivable": 30_000, "refunds": 20_000, "sales": -50_000}}
    assert len(await keys()) == 4


async def test_a_payout_reaches_the_bank_once() -> None:
    one = await payment()
    await pay(one.reference)
    payout = Payout(id=3, amount=49_250, fees=750, currency="NGN", paid_out_at=one.created_at)
    for _ in range(2):
        async with sessions.begin() as session:
            await journal.record(session, [movements.settled(payout)])
    assert await balances() == {"NGN": {"bank": 49_250, "fees": 750, "sales": -50_000}}


CHANGES = {
    "change an amount": "UPDATE ledger_entries SET amount = amount + 1",
    "forget an entry": "DELETE FROM ledger_entries",
    "forget all entries": "TRUNCATE ledger_entries",
    "rename a movement": "UPDATE ledger_transactions SET key = 'x'",
    "forget a movement": "DELETE FROM ledger_transactions",
    "forget everything": "TRUNCATE ledger_transactions CASCADE",
    "write one side only": "INSERT INTO ledger_entries (transaction_id, line, account, currency, amount)"
    " SELECT id, 3, 'bank', 'NGN', 5 FROM ledger_transactions LIMIT 1",
    "balance naira with cedis": "INSERT INTO ledger_entries (transaction_id, line, account, currency, amount)"
    " SELECT id, line, 'bank', currency, amount FROM ledger_transactions,"
    " (VALUES (3, 'NGN', 5), (4, 'GHS', -5)) AS side (line, currency, amount) WHERE kind = 'received'",
    "write no side at all": "INSERT INTO ledger_transactions (key, kind, occurred_at) VALUES ('x', 'settled', now())",
    "write nothing in two lines": "WITH made AS (INSERT INTO ledger_transactions (key, kind, occurred_at)"
    " VALUES ('x', 'settled', now()) RETURNING id) INSERT INTO ledger_entries"
    " SELECT id, line, 'bank', 'NGN', 0 FROM made, (VALUES (1), (2)) AS side (line)",
}


@pytest.mark.parametrize("name", CHANGES)
async def test_the_database_refuses_to(name: str) -> None:
    one = await payment()
    await pay(one.reference)
    before = await balances()
    with pytest.raises(IntegrityError):
        async with sessions.begin() as session:
            await session.execute(text(CHANGES[name]))
    assert (await balances(), len(await keys())) == (before, 2)


async def test_a_movement_goes_with_its_transaction() -> None:
    one = await payment()
    async with sessions() as session:
        await settle(session, [parse_charge(charge(one.reference)["data"])])
        await session.rollback()
    assert await keys() == []
    assert (await found(one.reference)).status == "pending"


async def test_entries_are_read_in_pages(client: httpx.AsyncClient, signer: Signer) -> None:
    references = [(await payment()).reference for _ in range(5)]
    async with sessions.begin() as session:  # one statement: all at the same time
        await settle(session, [parse_charge(charge(reference)["data"]) for reference in references])
    operator = signer.headers(scopes=ADMIN)
    items, cursor = [], ""
    while True:
        params = {"limit": "3"} | ({"cursor": cursor} if cursor else {})
        page = (await client.get("/payments/ledger", params=params, headers=operator)).json()
        items += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len({(item["transaction"], item["line"]) for item in items}) == len(items) == 20
    assert {item["reference"] for item in items} == set(references)
    assert sum(item["amount"] for item in items) == 0


async def test_filters(client: httpx.AsyncClient, signer: Signer) -> None:
    one, two = await payment(), await payment(currency="GHS")
    await pay(one.reference)
    await pay(two.reference, currency="GHS")
    operator = signer.headers(scopes=ADMIN)

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
async def test_the_books_are_for_those_who_may_read_all_payments(
    client: httpx.AsyncClient, signer: Signer, path: str
) -> None:
    assert (await client.get(path)).status_code == 401
    assert (await client.get(path, headers=signer.headers())).status_code == 403
    assert (await client.get(path, headers=signer.headers(scopes=ADMIN))).status_code == 200


BAD = [
    {"from": "yesterday"},
    {"to": "0001-01-01T00:00:00+14:00"},
    {"to": "9999-12-31T23:59:59-14:00"},
    {"account": "mine"},
    {"currency": "naira"},
    {"reference": "a\x00b"},
    {"limit": "0"},
]


@pytest.mark.parametrize("params", BAD, ids=str)
async def test_questions_that_make_no_sense(client: httpx.AsyncClient, signer: Signer, params: dict[str, str]) -> None:
    answer = await client.get("/payments/ledger", params=params, headers=signer.headers(scopes=ADMIN))
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


@pytest.mark.parametrize("cursor", ["x", "WyJsZWRnZXIiLDEsMiwzXQ==x", "WyJsZWRnZXIiLDQwMDAwMDAwMDAwMDAwMDAwMDAsMSwxXQ"])
async def test_cursors_of_nobody(client: httpx.AsyncClient, signer: Signer, cursor: str) -> None:
    answer = await client.get("/payments/ledger", params={"cursor": cursor}, headers=signer.headers(scopes=ADMIN))
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor")


async def test_balances_over_http(client: httpx.AsyncClient, signer: Signer) -> None:
    one = await payment()
    await pay(one.reference)
    operator = signer.headers(scopes=ADMIN)
    items = (await client.get("/payments/ledger/balances", headers=operator)).json()["items"]
    assert items == [
        {"currency": "NGN", "account": "fees", "balance": 750},
        {"currency": "NGN", "account": "paystack:receivable", "balance": 49_250},
        {"currency": "NGN", "account": "sales", "balance": -50_000},
    ]
    early = await client.get("/payments/ledger/balances", params={"to": "2020-01-01"}, headers=operator)
    assert early.json() == {"items": []}


async def test_the_books_as_csv(client: httpx.AsyncClient, signer: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.payments.ledger.queries.batches.__defaults__", (7,))
    references = [(await payment()).reference for _ in range(5)]
    async with sessions.begin() as session:
        await settle(session, [parse_charge(charge(reference)["data"]) for reference in references])
    await pay('=HYPERLINK("http://evil.test")', fees=None)
    answer = await client.get("/payments/ledger.csv", headers=signer.headers(scopes=ADMIN))
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == 22
    assert sum(int(row["amount"]) for row in rows) == 0
    assert [row["recorded_at"] for row in rows] == sorted(row["recorded_at"] for row in rows)
    assert {row["reference"] for row in rows} == {*references, '\'=HYPERLINK("http://evil.test")'}
    empty = await client.get("/payments/ledger.csv", params={"to": "2020-01-01"}, headers=signer.headers(scopes=ADMIN))
    assert empty.text.splitlines() == [",".join(rows[0])]


async def test_an_export_reads_no_further_than_its_reader() -> None:
    async with sessions.begin() as session:
        references = [f"dva-{number}" for number in range(20)]
        await settle(session, [parse_charge(charge(reference, fees=None)["data"]) for reference in references])
    batches = [batch async for batch in queries.batches(sessions, Filter(), 8)]
    assert [len(batch) for batch in batches] == [8, 8, 8, 8, 8, 0]
    read = []

    async def rest() -> AsyncIterator[Any]:
        for batch in batches[1:]:
            read.append(len(batch))
            yield batch

    written = csv_export.lines(batches[0], rest())
    for _ in range(3):  # the header, what was read before, one batch
        await anext(written)
    assert read == [8]
