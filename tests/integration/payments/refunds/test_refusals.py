"""A refund that Paystack refuses is sent again later, because the balance may be too low; a failed one needs an operator."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from services.payments.db import sessions
from services.payments.metrics import Metrics
from services.payments.models import Payment
from services.payments.refunds import requests
from services.payments.refunds.models import Refund
from services.payments.refunds.sync import FAILED_AT_PAYSTACK, MAX_REFUSALS
from tests.factories.payments import create_paid_payment, create_refund
from tests.fakes.paystack import FakePaystack, refusal
from tests.fixtures.metrics import metric
from tests.fixtures.payments_jobs import Jobs
from tests.fixtures.payments_requests import create_disputed_payment, deliver_from
from tests.fixtures.payments_rows import all_refunds, find_payment

BALANCE_TOO_LOW = refusal(400, "any_code", "The balance is too low")
TOO_LARGE = refusal(400, "invalid_params", "Total refund amount cannot exceed original transaction amount")


async def request_refund(paystack: FakePaystack, *amounts: int | None) -> Payment:
    """Create a paid payment, and request refunds of these amounts; None: of all."""
    one = await create_paid_payment()
    paystack.add_transaction(one.reference)
    for amount in amounts:
        async with sessions.begin() as session:
            await requests.request_refund(session, one.reference, amount=amount, reason="x", requested_by="operator-1")
    return one


async def let_time_pass(hours: float) -> None:
    """Move the next attempts of all refunds and payments into the past by some hours."""
    async with sessions.begin() as session:
        pause = timedelta(hours=hours)
        await session.execute(update(Refund).values(next_attempt_at=Refund.next_attempt_at - pause))
        earlier = Payment.refunds_next_attempt_at - pause
        await session.execute(update(Payment).values(refunds_next_attempt_at=earlier, refunds_leased_until=None))


async def gauges() -> tuple[float, float]:
    """Return how many refunds need an operator, and how many were refused and are sent again."""
    await Metrics(sessions).measure()
    return metric("refunds_that_need_an_operator"), metric("refunds_refused")


def counted() -> dict[str, float]:
    """Return how many status changes of refunds are counted."""
    return {
        status: metric("refunds_total", status=status) for status in ("requested", "refused", "failed", "processed")
    }


def counted_since(before: dict[str, float]) -> dict[str, float]:
    """Return how many status changes were counted since then, without zeros."""
    return {status: count - before[status] for status, count in counted().items() if count > before[status]}


async def test_refused_refund_waits_and_is_sent_again(paystack: FakePaystack, jobs: Jobs) -> None:
    one = await request_refund(paystack, None)
    paystack.fail(BALANCE_TOO_LOW, operation="refund")
    await jobs.execute_refunds()
    (refused,) = await all_refunds()
    assert (refused.status, refused.attempts) == ("requested", 1)
    assert "Paystack refused the refund: The balance is too low. It is sent again later" in (refused.error or "")
    assert refused.next_attempt_at is not None
    pause = refused.next_attempt_at - datetime.now(UTC)
    assert timedelta(minutes=45) < pause < timedelta(minutes=75)
    assert (await find_payment(one.reference)).refunds_next_attempt_at == refused.next_attempt_at
    assert await gauges() == (0, 1)
    await jobs.sync_refunds()  # a webhook event about another refund does not send it
    assert len(paystack.calls_to("refund")) == 1
    await let_time_pass(1.5)
    await jobs.execute_refunds()
    (sent,) = await all_refunds()
    assert (sent.status, sent.error, sent.next_attempt_at) == ("pending", None, None)
    assert len(paystack.calls_to("refund")) == 2
    assert await gauges() == (0, 0)


async def test_refund_that_is_refused_too_often_fails_and_needs_an_operator(paystack: FakePaystack, jobs: Jobs) -> None:
    await request_refund(paystack, None)
    paystack.fail(BALANCE_TOO_LOW, operation="refund", times=None)
    pauses = timedelta()
    for _ in range(MAX_REFUSALS):
        await jobs.execute_refunds()
        (refund,) = await all_refunds()
        pauses += (refund.next_attempt_at or datetime.now(UTC)) - datetime.now(UTC)
        await let_time_pass(13)
    assert timedelta(days=3) < pauses < timedelta(days=6)
    assert (refund.status, refund.attempts, refund.next_attempt_at) == ("failed", MAX_REFUSALS, None)
    assert f"It was refused {MAX_REFUSALS} times" in (refund.error or "")
    await jobs.sync_refunds()
    assert len(paystack.calls_to("refund")) == MAX_REFUSALS
    assert await gauges() == (1, 0)


@pytest.mark.parametrize(
    "permanent", [TOO_LARGE, refusal(404, "transaction_not_found", "Transaction reference not found.")]
)
async def test_refund_that_can_never_be_accepted_fails_at_once(
    paystack: FakePaystack, jobs: Jobs, permanent: httpx.Response
) -> None:
    before = counted()
    await request_refund(paystack, None)
    paystack.fail(permanent, operation="refund")
    await jobs.execute_refunds()
    assert counted_since(before) == {"requested": 1, "refused": 1, "failed": 1}
    (refund,) = await all_refunds()
    assert (refund.status, refund.next_attempt_at) == ("failed", None)
    assert (refund.error or "").startswith("Paystack refused the refund: T")


async def test_refund_beside_a_refused_one_is_followed_at_its_own_pace(paystack: FakePaystack, jobs: Jobs) -> None:
    one = await request_refund(paystack, 10_000, 20_000)
    paystack.fail(BALANCE_TOO_LOW, operation="refund")
    await jobs.execute_refunds()
    assert [refund.status for refund in await all_refunds()] == ["requested", "pending"]
    next_sync = (await find_payment(one.reference)).refunds_next_attempt_at
    assert next_sync is not None
    assert next_sync - datetime.now(UTC) < timedelta(minutes=1)
    for refund in paystack.transactions[one.reference].refunds:
        refund["status"] = "processed"
    await jobs.sync_refunds()
    assert [refund.status for refund in await all_refunds()] == ["requested", "processed"]
    assert (await find_payment(one.reference)).refunded_amount == 20_000


async def test_refused_refund_is_not_sent_again_when_a_dispute_is_lost(
    client: httpx.AsyncClient, paystack: FakePaystack, jobs: Jobs
) -> None:
    before = counted()
    one, dispute = await create_disputed_payment(client, paystack)
    async with sessions.begin() as session:
        await requests.request_refund(session, one.reference, amount=None, reason=None, requested_by="operator-1")
    paystack.fail(BALANCE_TOO_LOW, operation="refund")
    await jobs.execute_refunds()
    paystack.resolve_dispute(dispute, lost=True)
    await deliver_from(client, paystack)
    await jobs.poll_disputes()
    refunds = [(refund.requested_by, refund.status, refund.amount) for refund in await all_refunds()]
    assert refunds == [("operator-1", "failed", 50_000), ("paystack", "processed", 50_000)]
    assert "after a lost dispute" in ((await all_refunds())[0].error or "")
    await let_time_pass(24)
    await jobs.execute_refunds()
    assert len(paystack.calls_to("refund")) == 1
    assert counted_since(before) == {"requested": 1, "refused": 1, "failed": 1, "processed": 1}
    assert (await find_payment(one.reference)).status == "refunded"
    assert await gauges() == (0, 0)


@pytest.mark.parametrize("requested_by", ["operator-1", "catalog", "paystack"])
async def test_failed_refund_needs_an_operator_whoever_requested_it(
    client: httpx.AsyncClient,
    customer: dict[str, str],
    operator: dict[str, str],
    paystack: FakePaystack,
    jobs: Jobs,
    requested_by: str,
) -> None:
    one = await create_paid_payment()
    listed = paystack.add_refund(paystack.add_transaction(one.reference), 20_000, status="failed")
    if requested_by != "paystack":
        await create_refund(one, amount=20_000, status="pending", requested_by=requested_by, paystack_id=listed["id"])
    await jobs.sync_refunds(one.reference)
    assert await gauges() == (1, 0)
    for headers in (customer, operator):
        shown = (await client.get(f"/payments/{one.reference}/refunds?status=failed", headers=headers)).json()["items"]
        assert [(refund["requested_by"], refund["error"]) for refund in shown] == [(requested_by, FAILED_AT_PAYSTACK)]
    pending = await client.get(f"/payments/{one.reference}/refunds?status=pending&status=requested", headers=customer)
    assert pending.json()["items"] == []


async def test_list_of_all_refunds_is_filtered_by_status_and_paged(
    client: httpx.AsyncClient, customer: dict[str, str], operator: dict[str, str]
) -> None:
    one = await create_paid_payment()
    made = [
        await create_refund(one, amount=1, status=status)
        for status in ("failed", "processed", "needs-attention", "failed", "requested")
    ]

    async def listed(query: str) -> tuple[list[str], str | None]:
        answer = await client.get(f"/payments/refunds?{query}", headers=operator)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        assert {refund["payment"] for refund in body["items"]} <= {one.reference}
        return [refund["id"] for refund in body["items"]], body["next_cursor"]

    ids = [str(refund.id) for refund in made]
    assert await listed("") == (ids[::-1], None)
    assert await listed("status=failed") == ([ids[3], ids[0]], None)
    assert await listed("status=failed&status=needs-attention") == ([ids[3], ids[2], ids[0]], None)
    first, cursor = await listed("limit=3")
    assert (first + (await listed(f"limit=3&cursor={cursor}"))[0]) == ids[::-1]
    assert (await client.get("/payments/refunds", headers=customer)).json()["code"] == "not_allowed"
    assert (await client.get("/payments/refunds?status=lost", headers=operator)).status_code == 422
    assert (await client.get("/payments/refunds?cursor=x", headers=operator)).json()["code"] == "invalid_cursor"
