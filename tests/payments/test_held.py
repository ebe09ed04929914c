"""Held money goes back with a reason; where only a part does, what is left is held still, and can be decided like any other."""

from uuid import uuid4

import httpx
import pytest

from services.payments.catalog_client import Order
from services.payments.db import sessions
from services.payments.errors import NotHeld, OrderNotPayable
from services.payments.holds import review
from services.payments.models import Payment
from services.payments.paystack.charge import parse_charge
from services.payments.paystack.refunds import PaystackRefund
from services.payments.reconciliation.differences import add_differences
from services.payments.reconciliation.report import Report
from services.payments.refunds import requests
from services.payments.refunds.executor import Due, RefundExecutor
from services.payments.settlement.settle import settle
from tests.conftest import ADMIN, Signer
from tests.payments.conftest import charge, clients, found, notifier, outbox_types, payment
from tests.payments.test_ledger import OPERATOR, balances, pay, refund_processed

OVERPAID = 50_500


async def _overpaid(reference: str) -> Payment:
    await pay(reference, amount=OVERPAID, fees=None)
    one = await found(reference)
    await refund_processed(one, OVERPAID - 50_000)
    return await found(reference)


async def test_nobody_gives_it_back_without_a_reason(client: httpx.AsyncClient, signer: Signer) -> None:
    one = await payment(status="held", held_reason="amount_differs", paid_amount=49_000, paid_currency="NGN")
    url, headers = f"/payments/{one.reference}/refunds", signer.headers("operator-1", scopes=ADMIN)
    refused = await client.post(url, json={"amount": 1_000}, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (422, "reason_needed")
    asked = await client.post(url, json={"amount": 1_000, "reason": "too little"}, headers=headers)
    assert (asked.status_code, asked.json()["reason"]) == (202, "too little")


async def test_what_is_left_is_held_still() -> None:
    left = await _overpaid((await payment()).reference)
    assert (left.status, left.held_reason, left.refunded_amount) == ("held", "amount_differs", 500)
    assert await balances() == {"NGN": {"paystack:receivable": 50_000, "held": -50_000}}


async def test_what_is_left_can_be_accepted() -> None:
    one = await _overpaid((await payment()).reference)
    async with sessions.begin() as session:
        await review.accept(session, one.reference, OPERATOR, "the rest went back")
    assert (await found(one.reference)).status == "partially_refunded"
    assert await outbox_types() == ["payment.held", "payment.refunded", "payment.succeeded"]
    assert await balances() == {"NGN": {"paystack:receivable": 50_000, "sales": -50_000}}
    await refund_processed(one, 50_000)
    assert (await found(one.reference)).status == "refunded"
    assert await balances() == {"NGN": {"sales": -50_000, "refunds": 50_000}}


async def test_nothing_is_decided_while_a_refund_is_under_way() -> None:
    one = await _overpaid((await payment()).reference)
    async with sessions.begin() as session:
        await requests.request(session, one.reference, amount=100, reason="more", requested_by="test")
    with pytest.raises(NotHeld, match="under way"):
        async with sessions.begin() as session:
            await review.accept(session, one.reference, OPERATOR, "at once")


async def test_what_is_left_pays_for_an_order_of_exactly_that() -> None:
    one = await _overpaid("dva-1")
    order = Order(id=uuid4(), status="pending", amount=50_000, currency="NGN")
    with pytest.raises(OrderNotPayable, match="50000 NGN is there"):
        async with sessions.begin() as session:
            await review.bind(
                session, one.reference, OPERATOR, order.model_copy(update={"amount": OVERPAID}), "by phone"
            )
    async with sessions.begin() as session:
        await review.bind(session, one.reference, OPERATOR, order, "by phone")
    bound = await found(one.reference)
    assert (bound.status, bound.order_id, bound.amount) == ("partially_refunded", order.id, 50_000)
    assert await balances() == {"NGN": {"paystack:receivable": 50_000, "sales": -50_000}}


@pytest.mark.parametrize(("back", "agrees"), [(500, True), (0, False)])
async def test_paystack_calls_it_reversed_where_a_part_went_back(back: int, agrees: bool) -> None:
    one = await payment(
        status="held", held_reason="amount_differs", paid_amount=OVERPAID, paid_currency="NGN", refunded_amount=back
    )
    report = Report(since=one.created_at, until=one.created_at)
    told = parse_charge(charge(one.reference, amount=OVERPAID, status="reversed")["data"])
    add_differences(report, one, told)  # type: ignore[arg-type]
    assert report.agrees is agrees


async def _reversed(status: str) -> Payment:
    """It was paid, and its refund on the dashboard had begun before we heard of it."""
    one = await payment()
    async with sessions.begin() as session:
        await settle(session, [parse_charge(charge(one.reference, status=status)["data"])])
    return one


async def _listed(one: Payment, *refunds: PaystackRefund) -> None:
    """What Paystack says of its refunds."""
    now = one.created_at
    await RefundExecutor(sessions, clients().paystack, notifier())._learn(
        Due(one.id, one.reference, 1, 0, now, now), refunds
    )


async def _accept(one: Payment) -> None:
    async with sessions.begin() as session:
        await review.accept(session, one.reference, OPERATOR, "still here")


async def test_a_reversed_one_whose_refund_failed_is_accepted() -> None:
    one = await _reversed("reversal-pending")
    with pytest.raises(NotHeld, match="reversed"):
        await _accept(one)
    await _listed(one, PaystackRefund(1, 50_000, "pending", None))
    with pytest.raises(NotHeld, match="under way"):
        await _accept(one)
    await _listed(one, PaystackRefund(1, 50_000, "failed", None))
    await _accept(one)
    assert (await found(one.reference)).status == "succeeded"
    assert await outbox_types() == ["payment.succeeded"]
    assert await balances() == {"NGN": {"fees": 750, "paystack:receivable": 49_250, "sales": -50_000}}


async def test_a_reversed_one_of_which_money_went_back_is_not_accepted() -> None:
    one = await _reversed("reversed")
    await _listed(one, PaystackRefund(1, 20_000, "failed", None), PaystackRefund(2, 20_000, "processed", None))
    with pytest.raises(NotHeld, match="reversed"):
        await _accept(one)


async def test_a_long_reference_can_be_addressed(client: httpx.AsyncClient, signer: Signer) -> None:
    reference = "T" * 200
    await pay(reference)
    url, headers = f"/payments/{reference}/refunds", signer.headers("operator-1", scopes=ADMIN)
    assert (await client.post(url, json={"reason": "whose is it"}, headers=headers)).status_code == 202
