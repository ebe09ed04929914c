"""Held money is refunded with a reason. What a partial refund leaves is still held, and can be accepted or bound."""

from uuid import uuid4

import httpx
import pytest

from kit.audit.actor import Actor
from services.payments.catalog_client import Order
from services.payments.db import sessions
from services.payments.errors import NotHeld, OrderNotPayable
from services.payments.holds import review
from services.payments.models import Payment
from services.payments.refunds import requests
from tests.factories.payments import create_payment
from tests.fakes.paystack import FakePaystack, charge
from tests.fixtures.odd_amounts import assert_refused
from tests.fixtures.payments_jobs import Jobs, settle_charges
from tests.fixtures.payments_rows import find_payment, ledger_balances, outbox_types

OPERATOR = Actor(id="operator-1")
OVERPAID = 50_500


async def accept(reference: str, reason: str = "a regular") -> None:
    async with sessions.begin() as session:
        await review.accept(session, reference, OPERATOR, reason)


async def bind(reference: str, order: Order) -> None:
    async with sessions.begin() as session:
        await review.bind(session, reference, OPERATOR, order, "by phone")


async def create_overpaid_payment(paystack: FakePaystack, jobs: Jobs, reference: str) -> Payment:
    """Settle 505 naira for the reference, of which 5 were refunded on the dashboard."""
    paystack.add_transaction(reference, OVERPAID, fees=None)
    await settle_charges(charge(reference, OVERPAID, fees=None))
    await refund_on_dashboard(paystack, jobs, reference, OVERPAID - 50_000)
    return await find_payment(reference)


async def refund_on_dashboard(
    paystack: FakePaystack, jobs: Jobs, reference: str, amount: int, status: str = "processed"
) -> None:
    paystack.add_refund(paystack.transactions[reference], amount, status=status)
    await jobs.sync_refunds(reference)


async def test_refund_when_held_money_has_no_reason_answers_422(
    client: httpx.AsyncClient, operator: dict[str, str]
) -> None:
    one = await create_payment(status="held", held_reason="amount_differs", paid_amount=49_000, paid_currency="NGN")
    url = f"/payments/{one.reference}/refunds"
    headers = {**operator, "Idempotency-Key": uuid4().hex}
    refused = await client.post(url, json={"amount": 1_000}, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (422, "reason_needed")
    asked = await client.post(url, json={"amount": 1_000, "reason": "too little"}, headers=headers)
    assert (asked.status_code, asked.json()["reason"]) == (202, "too little")


@pytest.mark.parametrize("verb", ["", "/charge", "/{}/accept", "/{}/bind"])
async def test_requests_when_they_name_an_amount_that_only_the_order_may_say_are_refused(
    client: httpx.AsyncClient, operator: dict[str, str], verb: str
) -> None:
    one = await create_payment(status="held", held_reason="amount_differs", paid_amount=1, paid_currency="NGN")
    ids = f'"order_id": "{one.order_id}", "card_id": "{one.order_id}", "reason": "r"'
    for odd in ('"amount": 1', '"currency": "ngn"', '"amount": NaN'):
        await assert_refused(client, operator, f"/payments{verb.format(one.reference)}", f"{{{ids}, {odd}}}")


async def test_partial_refund_when_money_is_held_leaves_the_rest_held(paystack: FakePaystack, jobs: Jobs) -> None:
    left = await create_overpaid_payment(paystack, jobs, (await create_payment()).reference)
    assert (left.status, left.held_reason, left.refunded_amount) == ("held", "amount_differs", 500)
    assert await ledger_balances() == {"NGN": {"paystack:receivable": 50_000, "held": -50_000}}


async def test_accept_when_a_part_was_refunded_accepts_the_rest(paystack: FakePaystack, jobs: Jobs) -> None:
    one = await create_overpaid_payment(paystack, jobs, (await create_payment()).reference)
    await accept(one.reference)
    assert (await find_payment(one.reference)).status == "partially_refunded"
    assert await outbox_types() == ["payment.held", "payment.refunded", "payment.succeeded"]
    assert await ledger_balances() == {"NGN": {"paystack:receivable": 50_000, "sales": -50_000}}
    await refund_on_dashboard(paystack, jobs, one.reference, 50_000)
    assert (await find_payment(one.reference)).status == "refunded"
    assert await ledger_balances() == {"NGN": {"sales": -50_000, "refunds": 50_000}}


async def test_accept_when_a_refund_is_pending_raises_not_held(paystack: FakePaystack, jobs: Jobs) -> None:
    one = await create_overpaid_payment(paystack, jobs, (await create_payment()).reference)
    async with sessions.begin() as session:
        await requests.request_refund(session, one.reference, amount=100, reason="more", requested_by="test")
    with pytest.raises(NotHeld, match="is not finished"):
        await accept(one.reference)


async def test_bind_when_the_order_costs_exactly_what_is_left_pays_it(paystack: FakePaystack, jobs: Jobs) -> None:
    one = await create_overpaid_payment(paystack, jobs, "pay-dva-1")
    order = Order(id=uuid4(), status="pending", amount=50_000, currency="NGN")
    with pytest.raises(OrderNotPayable, match=r"the payment has NGN 500\.00"):
        await bind(one.reference, order.model_copy(update={"amount": OVERPAID}))
    await bind(one.reference, order)
    bound = await find_payment(one.reference)
    assert (bound.status, bound.order_id, bound.amount) == ("partially_refunded", order.id, 50_000)
    assert await ledger_balances() == {"NGN": {"paystack:receivable": 50_000, "sales": -50_000}}


async def settle_reversed(paystack: FakePaystack, status: str) -> Payment:
    """Settle a charge that was refunded on the dashboard before payments heard of it."""
    one = await create_payment()
    paystack.add_transaction(one.reference)
    await settle_charges(charge(one.reference, status=status))
    return one


async def test_accept_when_the_refund_of_a_reversed_payment_failed_accepts_it(
    paystack: FakePaystack, jobs: Jobs
) -> None:
    one = await settle_reversed(paystack, "reversal-pending")
    with pytest.raises(NotHeld, match="reversed"):
        await accept(one.reference)
    await refund_on_dashboard(paystack, jobs, one.reference, 50_000, "pending")
    with pytest.raises(NotHeld, match="is not finished"):
        await accept(one.reference)
    paystack.transactions[one.reference].refunds[0]["status"] = "failed"
    await jobs.sync_refunds(one.reference)
    await accept(one.reference)
    assert (await find_payment(one.reference)).status == "succeeded"
    assert await outbox_types() == ["payment.succeeded"]
    assert await ledger_balances() == {"NGN": {"fees": 750, "paystack:receivable": 49_250, "sales": -50_000}}


async def test_accept_when_money_of_a_reversed_payment_went_back_raises_not_held(
    paystack: FakePaystack, jobs: Jobs
) -> None:
    one = await settle_reversed(paystack, "reversed")
    paystack.add_refund(paystack.transactions[one.reference], 20_000, status="failed")
    await refund_on_dashboard(paystack, jobs, one.reference, 20_000)
    with pytest.raises(NotHeld, match="reversed"):
        await accept(one.reference)


async def test_refund_when_the_reference_is_as_long_as_paystack_allows_is_accepted(
    client: httpx.AsyncClient, operator: dict[str, str]
) -> None:
    reference = "pay-".ljust(200, "T")
    await settle_charges(charge(reference))
    url = f"/payments/{reference}/refunds"
    headers = {**operator, "Idempotency-Key": uuid4().hex}
    assert (await client.post(url, json={"all": True, "reason": "whose is it"}, headers=headers)).status_code == 202
