"""Payments are compared with Paystack's transactions, and each fact that differs is named."""

from typing import Any

import pytest

from services.payments.paystack.client import Paystack
from tests.factories.payments import create_payment
from tests.fakes.paystack import FakePaystack, charge
from tests.fixtures.payments_jobs import Jobs, settle_charges
from tests.fixtures.payments_reconciliation import create_settled, named, reconcile, refund_here
from tests.fixtures.payments_rows import find_payment, ledger_balances

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
