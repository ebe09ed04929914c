"""A refund is not sent if the payer may have got its money in another way since it was requested: an operator decides."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from services.payments.db import sessions
from services.payments.metrics import Metrics
from services.payments.models import Payment
from services.payments.refunds import requests
from services.payments.refunds.models import Refund
from tests.factories.payments import create_paid_payment
from tests.fakes.paystack import FakePaystack, refusal
from tests.fixtures.metrics import metric
from tests.fixtures.payments_jobs import Jobs
from tests.fixtures.payments_requests import deliver_from
from tests.fixtures.payments_rows import all_refunds, find_payment

BALANCE_TOO_LOW = refusal(400, "any_code", "The balance is too low")


async def request_refund(one: Payment, amount: int | None) -> None:
    async with sessions.begin() as session:
        await requests.request_refund(session, one.reference, amount=amount, reason=None, requested_by="operator-1")


async def refuse_refund(paystack: FakePaystack, jobs: Jobs, amount: int | None = 20_000) -> Payment:
    """Create a payment of NGN 500.00 with a requested refund that Paystack has refused once."""
    one = await create_paid_payment()
    paystack.add_transaction(one.reference)
    await request_refund(one, amount)
    paystack.fail(BALANCE_TOO_LOW, operation="refund")
    await jobs.execute_refunds()
    return one


async def send_again(jobs: Jobs) -> None:
    """Let the time pass until refused refunds are sent again."""
    async with sessions.begin() as session:
        await session.execute(update(Refund).values(next_attempt_at=Refund.next_attempt_at - timedelta(hours=13)))
    await jobs.sync_refunds()


async def rows() -> list[tuple[str, str, int]]:
    return [(refund.requested_by, refund.status, refund.amount) for refund in await all_refunds()]


@pytest.mark.parametrize("by_webhook", [True, False])
@pytest.mark.parametrize("amount", [20_000, 5_000])
@pytest.mark.parametrize("status", ["pending", "processed", "needs-attention"])
async def test_refund_when_money_was_refunded_on_the_dashboard_meanwhile_is_not_sent_again(
    client: httpx.AsyncClient, paystack: FakePaystack, jobs: Jobs, by_webhook: bool, amount: int, status: str
) -> None:
    one = await refuse_refund(paystack, jobs)
    paystack.add_refund(paystack.transactions[one.reference], amount, status=status)
    if by_webhook:
        await deliver_from(client, paystack)
    await send_again(jobs)
    assert len(paystack.calls_to("refund")) == 1
    assert await rows() == [("operator-1", "failed", 20_000), ("paystack", status, amount)]
    (failed, _) = await all_refunds()
    assert f"after this refund was requested, NGN {amount // 100}.00 of the payment was refunded on" in (
        failed.error or ""
    )
    assert failed.next_attempt_at is None
    await Metrics(sessions).measure()
    assert metric("refunds_that_need_an_operator") >= 1
    await request_refund(one, 20_000)  # the operator has found out that the payer has not got this money
    await jobs.execute_refunds()
    assert len(paystack.calls_to("refund")) == 2


async def test_refund_when_the_payer_got_everything_meanwhile_needs_no_operator_any_more(
    paystack: FakePaystack, jobs: Jobs
) -> None:
    one = await refuse_refund(paystack, jobs)
    paystack.add_refund(paystack.transactions[one.reference], 50_000, status="processed")
    await send_again(jobs)
    assert len(paystack.calls_to("refund")) == 1
    assert await rows() == [("operator-1", "failed", 20_000), ("paystack", "processed", 50_000)]
    await Metrics(sessions).measure()
    assert metric("refunds_that_need_an_operator") == 0
    assert (await find_payment(one.reference)).status == "refunded"


@pytest.mark.parametrize("earlier", [{"status": "failed"}, {"status": "processed", "amount": 10_000}])
async def test_refund_when_another_refund_failed_or_is_older_is_sent_again(
    paystack: FakePaystack, jobs: Jobs, earlier: dict[str, Any]
) -> None:
    one = await create_paid_payment()
    transaction = paystack.add_transaction(one.reference)
    if earlier["status"] == "processed":
        paystack.add_refund(transaction, **earlier)
        await jobs.sync_refunds()
    await request_refund(one, 20_000)
    paystack.fail(BALANCE_TOO_LOW, operation="refund")
    await jobs.execute_refunds()
    if earlier["status"] == "failed":
        paystack.add_refund(transaction, 20_000, status="failed")
    await send_again(jobs)
    assert len(paystack.calls_to("refund")) == 2
    assert ("operator-1", "pending", 20_000) in await rows()


async def test_refund_when_it_waited_for_paystack_and_was_made_on_the_dashboard_is_not_sent(
    paystack: FakePaystack, jobs: Jobs
) -> None:
    """It was never sent, because Paystack did not answer."""
    one = await create_paid_payment()
    transaction = paystack.add_transaction(one.reference)
    await request_refund(one, 20_000)
    paystack.go_down()
    await jobs.execute_refunds()
    paystack.recover()
    paystack.add_refund(transaction, 20_000)
    await jobs.sync_refunds()
    assert paystack.calls_to("refund") == []
    assert await rows() == [("operator-1", "failed", 20_000), ("paystack", "pending", 20_000)]


async def test_refund_when_its_amount_no_longer_fits_is_not_sent(paystack: FakePaystack, jobs: Jobs) -> None:
    one = await create_paid_payment()
    paystack.add_transaction(one.reference)
    await request_refund(one, None)
    async with sessions.begin() as session:
        session.add(
            Refund(payment_id=one.id, amount=1, currency="NGN", status="processed", requested_by="x", paystack_id=7)
        )
    await jobs.execute_refunds()
    assert paystack.calls_to("refund") == []
    (refund, _) = await all_refunds()
    assert (refund.status, refund.error) == (
        "failed",
        "Not sent: only NGN 499.99 of the payment can still be refunded.",
    )
