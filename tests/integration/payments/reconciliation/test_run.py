"""Each difference between the ledger, the payments and Paystack is found and named, and none where they agree."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from kit.worker.shutdown import Shutdown
from services.payments.db import sessions
from services.payments.paystack.client import Paystack
from services.payments.paystack.errors import KeyRejected, NoAnswer
from services.payments.paystack.rate_limit import RateLimit
from services.payments.reconciliation import paystack_reader, report
from services.payments.reconciliation.paystack_reader import PaystackReader
from services.payments.reconciliation.report import Report
from services.payments.reconciliation.run import compare
from tests.factories.payments import create_payment
from tests.fakes.paystack import Clock, FakePaystack, charge
from tests.fakes.shutdown import OnClock
from tests.fixtures.payments import paystack_client
from tests.fixtures.payments_jobs import settle_charges
from tests.fixtures.payments_reconciliation import create_settled, named, reconcile
from tests.fixtures.payments_rows import ledger_balances, ledger_keys

PER_PAGE = 50


async def test_reconcile_when_all_agree_finds_nothing_and_records_the_payout_once(
    paystack: FakePaystack, fast_client: Paystack
) -> None:
    references = [await create_settled(paystack) for _ in range(PER_PAGE + 3)]
    await create_payment()  # never paid
    paystack.add_transaction("pay-of-nobody", status="abandoned")
    paystack.add_settlement(1, *references)
    result = await reconcile(fast_client, not_paid_out_after=timedelta(0))
    assert result.differences == []
    counts = (result.payments, result.transactions, result.payouts, result.payouts_recorded, result.more)
    assert counts == (PER_PAGE + 3, PER_PAGE + 4, 1, 1, 0)
    assert (await ledger_balances())["NGN"] == {"bank": 53 * 49_250, "fees": 53 * 750, "sales": -53 * 50_000}
    again = await reconcile(fast_client, not_paid_out_after=timedelta(0))
    assert (again.differences, again.payouts_recorded) == ([], 0)
    assert len(await ledger_keys()) == 2 * 53 + 1


async def test_reconcile_when_entries_are_unreadable_names_them(paystack: FakePaystack, fast_client: Paystack) -> None:
    reference = await create_settled(paystack)
    odd = paystack.add_transaction("nonsense", id=9)
    odd.changes |= dict.fromkeys(odd.body().keys() - {"id", "created_at"}) | {"amount": "many"}
    paystack.settlements.append({"id": 7})
    paystack.add_settlement(8, reference)
    found = (await reconcile(fast_client)).differences
    assert [one.kind for one in found] == ["unreadable"] * 2
    assert found[0].there == "9: amount is missing or not a number of subunits"


async def test_reconcile_when_there_are_more_differences_than_fit_counts_them(
    paystack: FakePaystack, fast_client: Paystack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "MAX_DIFFERENCES", 5)
    for number in range(12):
        paystack.add_transaction(f"pay-dva-{number}")
    result = await reconcile(fast_client)
    assert (len(result.differences), result.more, result.agrees) == (5, 7, False)


@pytest.fixture
def clock() -> Clock:
    """The clock of `patient_client` and of its pauses."""
    return Clock()


@pytest.fixture
async def patient_client(paystack: FakePaystack, clock: Clock) -> AsyncIterator[Paystack]:
    """A client whose pauses pass on the clock of the test."""
    async with paystack_client(paystack, RateLimit(1_000_000, clock=clock)) as client:
        yield client


async def test_reconcile_when_paystack_fails_tries_again_unless_the_key_is_rejected(
    paystack: FakePaystack, patient_client: Paystack, clock: Clock
) -> None:
    shutdown = OnClock(clock)
    await create_settled(paystack)
    limited = httpx.Response(429, headers={"x-ratelimit-reset": "0"}, json={"status": False})
    paystack.fail(limited, httpx.Response(502), httpx.Response(200, text="<html>"))
    assert named(await reconcile(patient_client, shutdown=shutdown)) == []
    paystack.fail(httpx.Response(502), times=paystack_reader.ATTEMPTS)
    with pytest.raises(NoAnswer):
        await reconcile(patient_client, shutdown=shutdown)
    invalid = {"status": False, "message": "Invalid key", "code": "invalid_Key"}
    paystack.fail(httpx.Response(401, json=invalid))
    with pytest.raises(KeyRejected):
        await reconcile(patient_client, shutdown=shutdown)


async def test_reconcile_when_a_payment_is_outside_the_period_ignores_it(
    paystack: FakePaystack, fast_client: Paystack
) -> None:
    reference = await create_settled(paystack)
    del paystack.transactions[reference]
    now = datetime.now(UTC)
    early = Report(since=now - timedelta(days=9), until=now - timedelta(days=2))
    await compare(PaystackReader(sessions, fast_client, Shutdown(), early, lambda _: None), timedelta(days=1))
    assert (early.differences, early.payments) == ([], 0)


async def test_report_is_json(paystack: FakePaystack, fast_client: Paystack) -> None:
    paystack.add_transaction("pay-dva-1")
    body = json.loads((await reconcile(fast_client)).model_dump_json())
    assert body["differences"] == [
        {"kind": "missing_here", "reference": "pay-dva-1", "payout": None, "here": None, "there": "success, NGN 500.00"}
    ]


async def test_reconcile_says_what_it_did_not_compare(paystack: FakePaystack, fast_client: Paystack) -> None:
    await create_settled(paystack)
    paystack.add_transaction("T685312322670591")
    paystack.add_transaction("T1", status="abandoned")
    one = await create_payment()
    await settle_charges(charge(one.reference, domain="live"))
    result = await reconcile(fast_client)
    assert (named(result), result.unrelated) == ([], 1)
    period, refunds, payouts, other_mode, unrelated, deliveries = result.not_compared
    assert f"at {result.until:%Y-%m-%d %H:%M} UTC or later" in period
    assert refunds.startswith("Single refunds and disputes")
    assert "9999 days" in payouts
    assert other_mode.startswith("1 payments that were not made in test mode")
    assert unrelated.startswith("1 transactions of other applications")
    assert deliveries.startswith("The deliveries of catalog")
