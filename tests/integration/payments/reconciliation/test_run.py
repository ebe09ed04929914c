"""Each difference between the ledger, the payments and Paystack is found and named, and none where they agree."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

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
from tests.fakes.paystack import FakePaystack, charge
from tests.fixtures.payments import paystack_client
from tests.fixtures.payments_jobs import Jobs, settle_charges
from tests.fixtures.payments_rows import change_payments, find_payment, ledger_balances, ledger_keys

PER_PAGE = 50
NOTHING_IS_UNSETTLED = timedelta(days=9999)


@pytest.fixture
async def fast_client(paystack: FakePaystack) -> AsyncIterator[Paystack]:
    """A client whose background calls do not wait."""
    async with paystack_client(paystack, RateLimit(1_000_000)) as client:
        yield client


async def create_settled(paystack: FakePaystack, **changes: Any) -> str:
    """Create a payment that both sides know alike, except for the changes, which are Paystack's. Return its reference."""
    one = await create_payment()
    an_hour_ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    await settle_charges(charge(one.reference, paid_at=an_hour_ago))
    paystack.add_transaction(one.reference, **changes)
    return one.reference


async def refund_here(paystack: FakePaystack, jobs: Jobs, reference: str, amount: int) -> None:
    """Let Paystack refund, and the ledger record it."""
    paystack.add_refund(paystack.transactions[reference], amount, status="processed")
    await jobs.sync_refunds(reference)


async def reconcile(client: Paystack, days: int = 2, unsettled_after: timedelta = NOTHING_IS_UNSETTLED) -> Report:
    now = datetime.now(UTC)
    found = Report(since=now - timedelta(days=days), until=now + timedelta(minutes=1))
    await compare(PaystackReader(sessions, client, Shutdown(), found, lambda _: None), unsettled_after)
    return found


def named(found: Report) -> list[tuple[str, str | None]]:
    return [(one.kind, one.reference) for one in found.differences]


async def test_reconcile_when_all_agree_finds_nothing_and_records_the_payout_once(
    paystack: FakePaystack, fast_client: Paystack
) -> None:
    references = [await create_settled(paystack) for _ in range(PER_PAGE + 3)]
    await create_payment()  # never paid
    paystack.add_transaction("pay-of-nobody", status="abandoned")
    paystack.add_settlement(1, *references)
    result = await reconcile(fast_client, unsettled_after=timedelta(0))
    assert result.differences == []
    counts = (result.payments, result.transactions, result.payouts, result.payouts_recorded, result.more)
    assert counts == (PER_PAGE + 3, PER_PAGE + 4, 1, 1, 0)
    assert (await ledger_balances())["NGN"] == {"bank": 53 * 49_250, "fees": 53 * 750, "sales": -53 * 50_000}
    again = await reconcile(fast_client, unsettled_after=timedelta(0))
    assert (again.differences, again.payouts_recorded) == ([], 0)
    assert len(await ledger_keys()) == 2 * 53 + 1


DIFFERENCES: dict[str, tuple[dict[str, Any], str]] = {
    "amount": ({"amount": 49_999}, "amount_differs"),
    "currency": ({"currency": "GHS"}, "amount_differs"),
    "fee": ({"fees": 751}, "fee_differs"),
    "refunded there": ({"status": "reversed"}, "status_differs"),
    "not paid there": ({"status": "abandoned"}, "status_differs"),
}


@pytest.mark.parametrize("name", DIFFERENCES)
async def test_reconcile_when_a_fact_differs_names_it(paystack: FakePaystack, fast_client: Paystack, name: str) -> None:
    changes, kind = DIFFERENCES[name]
    await create_settled(paystack)
    reference = await create_settled(paystack)
    paystack.transactions[reference].changes |= changes
    assert named(await reconcile(fast_client)) == [(kind, reference)]


async def test_reconcile_when_a_payment_is_unknown_here_names_it(paystack: FakePaystack, fast_client: Paystack) -> None:
    paystack.add_transaction("pay-dva-1")
    assert named(await reconcile(fast_client)) == [("missing_here", "pay-dva-1")]


async def test_reconcile_when_a_payment_is_unpaid_here_names_both_states(
    paystack: FakePaystack, fast_client: Paystack
) -> None:
    one = await create_payment()
    paystack.add_transaction(one.reference)
    (difference,) = (await reconcile(fast_client)).differences
    assert (difference.kind, difference.here, difference.there) == ("status_differs", "pending", "success, NGN 500.00")


async def test_reconcile_when_a_payment_is_unknown_there_names_it(
    paystack: FakePaystack, fast_client: Paystack
) -> None:
    reference = await create_settled(paystack)
    del paystack.transactions[reference]
    assert named(await reconcile(fast_client)) == [("missing_there", reference)]


async def test_reconcile_when_paystacks_list_is_behind_finds_no_difference(
    paystack: FakePaystack, fast_client: Paystack
) -> None:
    paystack.unlisted.add(await create_settled(paystack))
    assert named(await reconcile(fast_client)) == []


async def test_reconcile_when_money_is_of_another_mode_does_not_look_for_it(fast_client: Paystack) -> None:
    one = await create_payment()
    await settle_charges(charge(one.reference, domain="live"))
    assert named(await reconcile(fast_client)) == []


async def test_reconcile_when_a_fee_was_unknown_records_it(paystack: FakePaystack, fast_client: Paystack) -> None:
    one = await create_payment()
    await settle_charges(charge(one.reference, fees=None))
    paystack.add_transaction(one.reference)
    result = await reconcile(fast_client)
    assert (result.differences, result.fees_recorded) == ([], 1)
    assert (await find_payment(one.reference)).fees == 750
    assert (await ledger_balances())["NGN"] == {"paystack:receivable": 49_250, "fees": 750, "sales": -50_000}
    assert (await reconcile(fast_client)).fees_recorded == 0


async def test_reconcile_when_both_know_a_refund_finds_no_difference(
    paystack: FakePaystack, fast_client: Paystack, jobs: Jobs
) -> None:
    reference = await create_settled(paystack)
    await refund_here(paystack, jobs, reference, 50_000)
    assert named(await reconcile(fast_client)) == []


async def test_reconcile_when_a_payment_differs_from_the_ledger_names_each_fact(
    paystack: FakePaystack, fast_client: Paystack
) -> None:
    reference = await create_settled(paystack)
    await change_payments(reference, fees=1_000, refunded_amount=7)
    paystack.transactions[reference].fees = 1_000
    differences = (await reconcile(fast_client)).differences
    assert [(one.kind, one.here) for one in differences] == [
        ("ledger_differs", "fee: 1000 in the payment, 750 in the ledger"),
        ("ledger_differs", "refunded: 7 in the payment, 0 in the ledger"),
    ]


async def test_reconcile_when_the_ledger_lacks_a_payment_names_it(
    paystack: FakePaystack, fast_client: Paystack
) -> None:
    one = await create_payment(status="succeeded", paid_amount=50_000, paid_currency="NGN", fees=750, domain="test")
    paystack.add_transaction(one.reference)
    assert named(await reconcile(fast_client)) == [("ledger_differs", one.reference)] * 2


@pytest.mark.parametrize(("refunded", "agrees"), [(500, True), (0, False)])
async def test_reconcile_when_a_held_payment_is_reversed_there_agrees_if_a_part_was_refunded(
    paystack: FakePaystack, fast_client: Paystack, jobs: Jobs, refunded: int, agrees: bool
) -> None:
    """Paystack shows `reversed` also where only a part went back."""
    one = await create_payment()
    await settle_charges(charge(one.reference, 50_500))
    paystack.add_transaction(one.reference, 50_500)
    if refunded:
        await refund_here(paystack, jobs, one.reference, refunded)
    paystack.transactions[one.reference].changes["status"] = "reversed"
    assert (await find_payment(one.reference)).status == "held"
    assert (await reconcile(fast_client)).agrees is agrees


PAYOUTS = {
    "a sum that is not its transactions'": {"total_processed": 100_001},
    "fees that are not its transactions'": {"total_fees": 1},
    "less than what is left": {"effective_amount": 98_000},
}


@pytest.mark.parametrize("name", PAYOUTS)
async def test_reconcile_when_a_payout_does_not_add_up_names_it(
    paystack: FakePaystack, fast_client: Paystack, name: str
) -> None:
    paystack.add_settlement(5, await create_settled(paystack), await create_settled(paystack), **PAYOUTS[name])
    result = await reconcile(fast_client)
    assert {(one.kind, one.payout) for one in result.differences} == {("payout_differs", 5)}


async def test_reconcile_when_a_recorded_payout_changed_names_it(paystack: FakePaystack, fast_client: Paystack) -> None:
    paystack.add_settlement(5, await create_settled(paystack))
    await reconcile(fast_client)
    paystack.settlements[0] |= {"effective_amount": 49_000, "deductions": 250}
    (difference,) = (await reconcile(fast_client)).differences
    assert (difference.kind, difference.here) == ("payout_differs", "recorded as NGN 492.50")


async def test_reconcile_when_a_payout_bears_refunds_finds_no_difference(
    paystack: FakePaystack, fast_client: Paystack, jobs: Jobs
) -> None:
    reference, other = await create_settled(paystack), await create_settled(paystack)
    await refund_here(paystack, jobs, reference, 50_000)
    paystack.add_settlement(5, reference, other, deductions=50_000)
    assert named(await reconcile(fast_client)) == []
    assert (await ledger_balances())["NGN"] == {"bank": 48_500, "fees": 1_500, "refunds": 50_000, "sales": -100_000}


async def test_reconcile_when_a_payout_is_pending_does_not_count_it(
    paystack: FakePaystack, fast_client: Paystack
) -> None:
    reference = await create_settled(paystack)
    paystack.add_settlement(5, reference, status="pending")
    assert named(await reconcile(fast_client, unsettled_after=timedelta(0))) == [("unsettled", reference)]
    assert "bank" not in (await ledger_balances())["NGN"]


async def test_reconcile_when_a_payout_contains_unknown_money_names_it(
    paystack: FakePaystack, fast_client: Paystack
) -> None:
    paystack.add_transaction("pay-dva-2", created_at="2020-01-01T00:00:00Z")
    paystack.add_settlement(5, "pay-dva-2")
    assert named(await reconcile(fast_client)) == [("missing_here", "pay-dva-2")]


async def test_reconcile_when_money_was_not_paid_out_in_time_names_it(
    paystack: FakePaystack, fast_client: Paystack
) -> None:
    old, new = await create_settled(paystack), await create_settled(paystack)
    await change_payments(old, paid_at=datetime.now(UTC) - timedelta(days=6))
    await change_payments(new, paid_at=datetime.now(UTC) - timedelta(days=4))
    result = await reconcile(fast_client, unsettled_after=timedelta(days=5))
    assert named(result) == [("unsettled", old)]


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


async def test_reconcile_when_paystack_fails_tries_again_unless_the_key_is_rejected(
    paystack: FakePaystack, fast_client: Paystack
) -> None:
    await create_settled(paystack)
    limited = httpx.Response(429, headers={"x-ratelimit-reset": "0"}, json={"status": False})
    paystack.fail(limited, httpx.Response(502), httpx.Response(200, text="<html>"))
    assert named(await reconcile(fast_client)) == []
    paystack.fail(httpx.Response(502), times=paystack_reader.ATTEMPTS)
    with pytest.raises(NoAnswer):
        await reconcile(fast_client)
    invalid = {"status": False, "message": "Invalid key", "code": "invalid_Key"}
    paystack.fail(httpx.Response(401, json=invalid))
    with pytest.raises(KeyRejected):
        await reconcile(fast_client)


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
    period, refunds, payouts, other_mode, unrelated = result.not_compared
    assert f"at {result.until:%Y-%m-%d %H:%M} UTC or later" in period
    assert refunds.startswith("Single refunds and disputes")
    assert "9999 days" in payouts
    assert other_mode.startswith("1 payments that were not made in test mode")
    assert unrelated.startswith("1 transactions of other applications")
