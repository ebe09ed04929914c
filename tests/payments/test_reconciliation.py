"""Each difference between our books and Paystack's is found and named, and none where they agree."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import update

from kit.worker.shutdown import Shutdown
from services.payments.db import sessions
from services.payments.models import Payment
from services.payments.paystack.charge import parse_charge
from services.payments.paystack.client import Paystack
from services.payments.paystack.errors import KeyRejected, NoAnswer
from services.payments.paystack.rate_limit import RateLimit
from services.payments.reconciliation import paystack_reader, report
from services.payments.reconciliation.paystack_reader import PaystackReader
from services.payments.reconciliation.report import Report
from services.payments.reconciliation.run import compare
from services.payments.settlement.settle import settle
from tests.conftest import PAYSTACK_SECRET_KEY
from tests.payments.conftest import charge, found, payment
from tests.payments.test_ledger import balances, keys, refund_processed

PER_PAGE = 50


@dataclass
class Statement:
    """Paystack's side: what it lists, and what it says when it is asked about one."""

    transactions: dict[str, dict[str, Any]] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    """Known, and missing from the lists."""
    settlements: list[dict[str, Any]] = field(default_factory=list)
    in_settlement: dict[int, list[str]] = field(default_factory=dict)
    foul: list[httpx.Response] = field(default_factory=list)
    """Answered first."""
    asked: list[str] = field(default_factory=list)

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        if self.foul:
            return self.foul.pop(0)
        *_, parent, last = request.url.path.split("/")
        if parent == "verify":
            return self._verified(last)
        if last == "settlement":
            return self._page(request, self.settlements)
        listed = self.in_settlement[int(parent)] if parent.isdigit() else self.transactions.keys() - self.hidden
        data = [self.transactions[reference] for reference in sorted(listed)]
        if not parent.isdigit():
            since, until = (datetime.fromisoformat(request.url.params[name]) for name in ("from", "to"))
            data = [one for one in data if since <= datetime.fromisoformat(one["created_at"]) <= until]
        return self._page(request, data)

    def _verified(self, reference: str) -> httpx.Response:
        if reference not in self.transactions:
            body = {"status": False, "message": "Transaction reference not found.", "code": "transaction_not_found"}
            return httpx.Response(400, json=body)
        return httpx.Response(200, json={"status": True, "message": "", "data": self.transactions[reference]})

    def _page(self, request: httpx.Request, data: list[Any]) -> httpx.Response:
        page, size = int(request.url.params["page"]), int(request.url.params["perPage"])
        assert size == PER_PAGE
        meta = {"total": len(data), "perPage": size, "page": page, "pageCount": -(-len(data) // size)}
        body = {"status": True, "message": "", "data": data[(page - 1) * size : page * size], "meta": meta}
        return httpx.Response(200, json=body)

    def has(self, reference: str, **changes: Any) -> None:
        told = {"created_at": datetime.now(UTC).isoformat(), **charge(reference)["data"], **changes}
        self.transactions[reference] = told

    def settled(self, number: int, *references: str, **changes: Any) -> None:
        listed = [self.transactions[reference] for reference in references]
        processed, fees = sum(one["amount"] for one in listed), sum(one["fees"] or 0 for one in listed)
        now = datetime.now(UTC).isoformat()
        self.in_settlement[number] = list(references)
        self.settlements.insert(
            0,
            {
                "id": number,
                "domain": "test",
                "status": "success",
                "currency": "NGN",
                "total_amount": processed - fees,
                "effective_amount": processed - fees - (changes.get("deductions") or 0),
                "total_fees": fees,
                "total_processed": processed,
                "deductions": None,
                "settlement_date": now,
                "createdAt": now,
                **changes,
            },
        )


@pytest.fixture
def statement() -> Statement:
    return Statement()


@pytest.fixture
async def paystack(statement: Statement) -> AsyncIterator[Paystack]:
    transport = httpx.MockTransport(statement.answer)
    client = Paystack("http://paystack.test", SecretStr(PAYSTACK_SECRET_KEY), transport, RateLimit(1_000_000))
    yield client
    await client.close()


async def paid(statement: Statement, **changes: Any) -> str:
    """A payment that both sides know alike, except for the changes: those are Paystack's."""
    one = await payment()
    an_hour_ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    async with sessions.begin() as session:
        await settle(session, [parse_charge(charge(one.reference, paid_at=an_hour_ago)["data"])])
    statement.has(one.reference, **changes)
    return one.reference


async def compared(paystack: Paystack, days: int = 2, unsettled_after: timedelta = timedelta(days=9999)) -> Report:
    now = datetime.now(UTC)
    found = Report(since=now - timedelta(days=days), until=now + timedelta(minutes=1))
    await compare(PaystackReader(sessions, paystack, Shutdown(), found, lambda _: None), unsettled_after)
    return found


async def change(reference: str, **values: Any) -> None:
    async with sessions.begin() as session:
        await session.execute(update(Payment).where(Payment.reference == reference).values(**values))


def named(found: Report) -> list[tuple[str, str | None]]:
    return [(one.kind, one.reference) for one in found.differences]


async def test_where_all_agree(statement: Statement, paystack: Paystack) -> None:
    references = [await paid(statement) for _ in range(PER_PAGE + 3)]
    await payment()  # never paid
    statement.has("pay-of-nobody", status="abandoned")
    statement.settled(1, *references)
    result = await compared(paystack, unsettled_after=timedelta(0))
    assert result.differences == []
    counts = (result.payments, result.transactions, result.payouts, result.payouts_recorded, result.more)
    assert counts == (PER_PAGE + 3, PER_PAGE + 4, 1, 1, 0)
    assert (await balances())["NGN"] == {"bank": 53 * 49_250, "fees": 53 * 750, "sales": -53 * 50_000}
    again = await compared(paystack, unsettled_after=timedelta(0))
    assert (again.differences, again.payouts_recorded) == ([], 0)
    assert len(await keys()) == 2 * 53 + 1


DIFFER: dict[str, tuple[dict[str, Any], str]] = {
    "amount": ({"amount": 49_999}, "amount_differs"),
    "currency": ({"currency": "GHS"}, "amount_differs"),
    "fee": ({"fees": 751}, "fee_differs"),
    "given back there": ({"status": "reversed"}, "status_differs"),
    "not paid there": ({"status": "abandoned"}, "status_differs"),
}


@pytest.mark.parametrize("name", DIFFER)
async def test_what_differs(statement: Statement, paystack: Paystack, name: str) -> None:
    changes, kind = DIFFER[name]
    await paid(statement)
    reference = await paid(statement, **changes)
    assert named(await compared(paystack)) == [(kind, reference)]


async def test_paid_there_and_unknown_here(statement: Statement, paystack: Paystack) -> None:
    statement.has("dva-1")
    assert named(await compared(paystack)) == [("missing_here", "dva-1")]


async def test_paid_there_and_unpaid_here(statement: Statement, paystack: Paystack) -> None:
    one = await payment()
    statement.has(one.reference)
    (difference,) = (await compared(paystack)).differences
    assert (difference.kind, difference.here, difference.there) == ("status_differs", "pending", "success, 50000 NGN")


async def test_paid_here_and_unknown_there(statement: Statement, paystack: Paystack) -> None:
    reference = await paid(statement)
    del statement.transactions[reference]
    assert named(await compared(paystack)) == [("missing_there", reference)]


async def test_a_list_that_is_behind_is_no_difference(statement: Statement, paystack: Paystack) -> None:
    statement.hidden.add(await paid(statement))
    assert named(await compared(paystack)) == []


async def test_money_of_the_other_mode_is_not_looked_for(statement: Statement, paystack: Paystack) -> None:
    one = await payment()
    async with sessions.begin() as session:
        await settle(session, [parse_charge(charge(one.reference, domain="live")["data"])])
    assert named(await compared(paystack)) == []


async def test_a_fee_that_was_told_late_is_learned(statement: Statement, paystack: Paystack) -> None:
    one = await payment()
    async with sessions.begin() as session:
        await settle(session, [parse_charge(charge(one.reference, fees=None)["data"])])
    statement.has(one.reference)
    result = await compared(paystack)
    assert (result.differences, result.fees_recorded) == ([], 1)
    assert (await found(one.reference)).fees == 750
    assert (await balances())["NGN"] == {"paystack:receivable": 49_250, "fees": 750, "sales": -50_000}
    assert (await compared(paystack)).fees_recorded == 0


async def test_refunds_that_both_know(statement: Statement, paystack: Paystack) -> None:
    reference = await paid(statement, status="reversed")
    await refund_processed(await found(reference), 50_000)
    assert named(await compared(paystack)) == []


async def test_a_payment_that_says_something_else_than_the_ledger(statement: Statement, paystack: Paystack) -> None:
    reference = await paid(statement)
    await change(reference, fees=1_000, refunded_amount=7)
    statement.has(reference, fees=1_000)
    differences = (await compared(paystack)).differences
    assert [(one.kind, one.here) for one in differences] == [
        ("ledger_differs", "fee: 1000 in the payment, 750 in the ledger"),
        ("ledger_differs", "refunded: 7 in the payment, 0 in the ledger"),
    ]


async def test_a_payment_that_the_ledger_does_not_know(statement: Statement, paystack: Paystack) -> None:
    one = await payment(status="succeeded", paid_amount=50_000, paid_currency="NGN", fees=750, domain="test")
    statement.has(one.reference)
    assert named(await compared(paystack)) == [("ledger_differs", one.reference)] * 2


PAYOUTS = {
    "a sum that is not its transactions'": {"total_processed": 100_001},
    "fees that are not its transactions'": {"total_fees": 1},
    "less than what is left": {"effective_amount": 98_000},
}


@pytest.mark.parametrize("name", PAYOUTS)
async def test_payouts_that_do_not_add_up(statement: Statement, paystack: Paystack, name: str) -> None:
    statement.settled(5, await paid(statement), await paid(statement), **PAYOUTS[name])
    result = await compared(paystack)
    assert {(one.kind, one.payout) for one in result.differences} == {("payout_differs", 5)}


async def test_a_payout_that_changed_after_it_was_recorded(statement: Statement, paystack: Paystack) -> None:
    statement.settled(5, await paid(statement))
    await compared(paystack)
    statement.settlements[0] |= {"effective_amount": 49_000, "deductions": 250}
    (difference,) = (await compared(paystack)).differences
    assert (difference.kind, difference.here) == ("payout_differs", "recorded as 49250 NGN")


async def test_refunds_that_a_payout_bears(statement: Statement, paystack: Paystack) -> None:
    reference, other = await paid(statement, status="reversed"), await paid(statement)
    await refund_processed(await found(reference), 50_000)
    statement.settled(5, reference, other, deductions=50_000)
    assert named(await compared(paystack)) == []
    assert (await balances())["NGN"] == {"bank": 48_500, "fees": 1_500, "refunds": 50_000, "sales": -100_000}


async def test_a_payout_that_is_on_its_way_has_not_arrived(statement: Statement, paystack: Paystack) -> None:
    reference = await paid(statement)
    statement.settled(5, reference, status="pending")
    assert named(await compared(paystack, unsettled_after=timedelta(0))) == [("unsettled", reference)]
    assert "bank" not in (await balances())["NGN"]


async def test_a_payout_with_money_that_we_know_nothing_of(statement: Statement, paystack: Paystack) -> None:
    statement.has("dva-2", created_at="2020-01-01T00:00:00Z")
    statement.settled(5, "dva-2")
    assert named(await compared(paystack)) == [("missing_here", "dva-2")]


async def test_money_that_was_not_paid_out(statement: Statement, paystack: Paystack) -> None:
    old, new = await paid(statement), await paid(statement)
    await change(old, paid_at=datetime.now(UTC) - timedelta(days=6))
    await change(new, paid_at=datetime.now(UTC) - timedelta(days=4))
    result = await compared(paystack, unsettled_after=timedelta(days=5))
    assert named(result) == [("unsettled", old)]


async def test_what_cannot_be_read_is_said(statement: Statement, paystack: Paystack) -> None:
    reference = await paid(statement)
    statement.transactions["nonsense"] = {"id": 9, "created_at": datetime.now(UTC).isoformat(), "amount": "many"}
    statement.settlements.append({"id": 7})
    statement.settled(8, reference)
    found = (await compared(paystack)).differences
    assert [one.kind for one in found] == ["unreadable"] * 2
    assert found[0].there == "9: amount is missing or not a number of subunits"


async def test_more_differences_than_are_named_are_counted(
    statement: Statement, paystack: Paystack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "MOST", 5)
    for number in range(12):
        statement.has(f"dva-{number}")
    result = await compared(paystack)
    assert (len(result.differences), result.more, result.agrees) == (5, 7, False)


async def test_it_waits_for_paystack(statement: Statement, paystack: Paystack) -> None:
    await paid(statement)
    limited = httpx.Response(429, headers={"x-ratelimit-reset": "0"}, json={"status": False})
    statement.foul = [limited, httpx.Response(502), httpx.Response(200, text="<html>")]
    assert named(await compared(paystack)) == []
    statement.foul = [httpx.Response(502)] * paystack_reader.ATTEMPTS
    with pytest.raises(NoAnswer):
        await compared(paystack)
    statement.foul = [httpx.Response(401, json={"status": False, "message": "Invalid key", "code": "invalid_Key"})]
    with pytest.raises(KeyRejected):
        await compared(paystack)


async def test_the_period(statement: Statement, paystack: Paystack) -> None:
    reference = await paid(statement)
    del statement.transactions[reference]
    now = datetime.now(UTC)
    early = Report(since=now - timedelta(days=9), until=now - timedelta(days=2))
    await compare(PaystackReader(sessions, paystack, Shutdown(), early, lambda _: None), timedelta(days=1))
    assert (early.differences, early.payments) == ([], 0)


async def test_the_report_is_json(statement: Statement, paystack: Paystack) -> None:
    statement.has("dva-1")
    body = json.loads((await compared(paystack)).model_dump_json())
    assert body["differences"] == [
        {"kind": "missing_here", "reference": "dva-1", "payout": None, "here": None, "there": "success, 50000 NGN"}
    ]
