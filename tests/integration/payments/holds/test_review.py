"""Held money is refunded with a reason. What a partial refund leaves is still held, and can be accepted or bound."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from contracts.events import PaymentRefunded
from kit.audit.actor import Actor
from services.payments.catalog_client import Order
from services.payments.db import sessions
from services.payments.errors import NotHeld, OrderNotBindable
from services.payments.holds import review
from services.payments.models import Payment
from services.payments.refunds import requests
from tests.factories.payments import create_payment
from tests.fakes.paystack import FakePaystack, charge
from tests.fixtures.odd_amounts import assert_refused
from tests.fixtures.payments_jobs import Jobs, settle_charges
from tests.fixtures.payments_rows import find_payment, ledger_balances, outbox_events, outbox_types
from tests.fixtures.tokens import Signer

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
    with pytest.raises(OrderNotBindable, match=r"the payment has NGN 500\.00"):
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


async def settle_held(amount: int, **changes: Any) -> Payment:
    """Settle a charge of another amount than the 500 naira of the order."""
    one = await create_payment()
    await settle_charges(charge(one.reference, amount, fees=None, **changes))
    return one


async def accept_over_http(client: httpx.AsyncClient, headers: dict[str, str], one: Payment) -> httpx.Response:
    body = {"reason": "paid too much", "refund_difference": True}
    return await client.post(f"/payments/{one.reference}/accept", json=body, headers=headers)


@pytest.mark.parametrize(
    ("amount", "changes", "expected"),
    [
        (50_500, {}, (50_000, 50_500, 500, ["accept", "refund_difference", "refund_all"])),
        (49_000, {}, (50_000, 49_000, -1_000, ["accept", "refund_all"])),
        (50_500, {"currency": "GHS"}, (50_000, 50_500, None, ["accept", "refund_all"])),
    ],
)
async def test_review_when_a_payment_is_held_shows_the_difference_and_the_decisions_to_operators(
    client: httpx.AsyncClient,
    operator: dict[str, str],
    customer: dict[str, str],
    amount: int,
    changes: dict[str, Any],
    expected: tuple[object, ...],
) -> None:
    one = await settle_held(amount, **changes)
    path = f"/payments/{one.reference}"
    for shown in (
        (await client.get(path, headers=operator)).json(),
        (await client.get("/payments", params={"status": "held"}, headers=operator)).json()["items"][0],
    ):
        review = shown["review"]
        assert (review["expected"], review["received"], review["difference"], review["decisions"]) == expected
        assert review["received_currency"] == changes.get("currency", "NGN")
    assert (await client.get(path, headers=customer)).json()["review"] is None


async def test_review_when_the_reference_is_unknown_offers_to_bind(
    client: httpx.AsyncClient, operator: dict[str, str]
) -> None:
    await settle_charges(charge("pay-unknown"))
    review = (await client.get("/payments/pay-unknown", headers=operator)).json()["review"]
    assert (review["expected"], review["difference"], review["decisions"]) == (None, None, ["bind", "refund_all"])


async def test_review_when_a_refund_is_not_finished_offers_only_to_refund_the_rest(
    client: httpx.AsyncClient, operator: dict[str, str]
) -> None:
    one = await settle_held(50_500)
    async with sessions.begin() as session:
        await requests.request_refund(session, one.reference, amount=100, reason="more", requested_by="test")
    review = (await client.get(f"/payments/{one.reference}", headers=operator)).json()["review"]
    assert (review["received"], review["difference"], review["decisions"]) == (50_400, 400, ["refund_all"])


async def test_accept_when_the_difference_is_refunded_delivers_the_order_and_records_both_acts(
    client: httpx.AsyncClient, paystack: FakePaystack, operator: dict[str, str], jobs: Jobs
) -> None:
    one = await settle_held(OVERPAID)
    paystack.add_transaction(one.reference, OVERPAID, fees=None)
    accepted = await accept_over_http(client, operator, one)
    assert (accepted.status_code, accepted.json()["status"]) == (200, "succeeded")
    assert (accepted.json()["refunding_amount"], accepted.json()["review"]) == (500, None)
    assert (await accept_over_http(client, operator, one)).json()["code"] == "not_held"
    await jobs.execute_refunds()
    assert [refund["amount"] for refund in paystack.transactions[one.reference].refunds] == [500]
    paystack.transactions[one.reference].refunds[0]["status"] = "processed"
    await jobs.sync_refunds(one.reference)
    assert (await find_payment(one.reference)).status == "partially_refunded"
    assert await outbox_types() == ["payment.held", "payment.succeeded", "payment.refunded"]
    assert await ledger_balances() == {"NGN": {"paystack:receivable": 50_000, "sales": -50_500, "refunds": 500}}
    acts = (await client.get("/payments/audit-log", params={"subject": one.reference}, headers=operator)).json()[
        "items"
    ]
    assert sorted(act["act"] for act in acts) == ["payment.accepted", "refund.requested"]


async def test_accept_when_nothing_was_paid_too_much_refunds_no_difference(
    client: httpx.AsyncClient, operator: dict[str, str]
) -> None:
    one = await settle_held(49_000)
    refused = await accept_over_http(client, operator, one)
    assert (refused.status_code, refused.json()["code"]) == (409, "nothing_overpaid")
    assert (await find_payment(one.reference)).status == "held"


async def test_accept_when_the_token_may_not_refund_refunds_no_difference(
    client: httpx.AsyncClient, signer: Signer
) -> None:
    one = await settle_held(OVERPAID)
    decider = signer.headers("operator-2", scopes=frozenset({"payments:decide"}))
    refused = await accept_over_http(client, decider, one)
    assert (refused.status_code, refused.json()["code"]) == (403, "not_allowed")
    assert (await find_payment(one.reference)).status == "held"


async def test_payment_that_was_accepted_in_another_currency_is_refunded_in_the_currency_in_which_it_was_paid(
    client: httpx.AsyncClient, paystack: FakePaystack, jobs: Jobs, customer: dict[str, str]
) -> None:
    one = await create_payment()
    paystack.add_transaction(one.reference, 1_000, currency="USD")
    await settle_charges(charge(one.reference, 1_000, currency="USD"))
    await accept(one.reference)
    await refund_on_dashboard(paystack, jobs, one.reference, 400)
    refund = (await outbox_events())[-1]
    assert isinstance(refund, PaymentRefunded)
    published = refund.model_dump()["data"]
    facts = ("amount", "currency", "refunded_amount", "refunded_currency", "fully_refunded", "overpaid_amount")
    assert [published[name] for name in facts] == [50_000, "NGN", 400, "USD", False, 0]
    shown = (await client.get(f"/payments/{one.reference}", headers=customer)).json()
    assert (shown["currency"], shown["paid_amount"], shown["paid_currency"]) == ("NGN", 1_000, "USD")
