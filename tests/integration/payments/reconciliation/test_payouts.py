"""Payouts are compared with their transactions and recorded once."""

from datetime import UTC, datetime, timedelta

import pytest

from services.payments.paystack.client import Paystack
from tests.fakes.paystack import FakePaystack
from tests.fixtures.payments_jobs import Jobs
from tests.fixtures.payments_reconciliation import create_settled, named, reconcile, refund_here
from tests.fixtures.payments_rows import change_payments, ledger_balances

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
    assert named(await reconcile(fast_client, not_paid_out_after=timedelta(0))) == [("not_paid_out", reference)]
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
    result = await reconcile(fast_client, not_paid_out_after=timedelta(days=5))
    assert named(result) == [("not_paid_out", old)]
