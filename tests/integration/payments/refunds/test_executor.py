"""Refunds are sent once and followed to their end, whatever Paystack answers and whichever worker has them."""

import asyncio
import itertools
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import func, select, text

from kit.messaging.notifier import Notifier
from services.payments.clients import Clients
from services.payments.db import Topic, sessions
from services.payments.models import Payment
from services.payments.refunds import executor, requests
from services.payments.refunds.executor import RefundExecutor
from services.payments.refunds.models import Refund
from tests.factories.payments import create_paid_payment, create_payment
from tests.fakes.paystack import FakePaystack, charge_success, refusal
from tests.fakes.shutdown import UntilIdle
from tests.fixtures.loops import living, until
from tests.fixtures.payments_jobs import Jobs
from tests.fixtures.payments_requests import create_disputed_payment, deliver, deliver_from
from tests.fixtures.payments_rows import all_refunds, change_payments, find_payment, outbox_types

TOO_LARGE = refusal(400, "invalid_params", "Total refund amount cannot exceed original transaction amount")


async def request_refund(reference: str, amount: int | None = None) -> None:
    async with sessions.begin() as session:
        await requests.request_refund(session, reference, amount=amount, reason=None, requested_by="test")


async def refund_statuses() -> list[str]:
    return [refund.status for refund in await all_refunds()]


async def test_executor_when_paystack_does_not_know_the_payment_asks_less_and_less_often(
    paystack: FakePaystack, jobs: Jobs, caplog: pytest.LogCaptureFixture
) -> None:
    one = await create_payment(status="succeeded", paid_amount=50_000, paid_currency="NGN")
    await request_refund(one.reference)
    pauses = []
    for _ in range(4):
        await change_payments(refunds_next_attempt_at=datetime.now(UTC) - timedelta(seconds=1))
        await jobs.execute_refunds()
        next_attempt_at = (await find_payment(one.reference)).refunds_next_attempt_at
        assert next_attempt_at is not None
        pauses.append((next_attempt_at - datetime.now(UTC)).total_seconds())
    assert pauses == sorted(pauses)
    assert pauses[0] > 0
    assert "payment unknown to Paystack" in caplog.text
    assert len(paystack.calls_to("verify")) == 4


async def test_executor_when_a_refund_is_refused_waits_for_the_lock_of_its_payment(
    paystack: FakePaystack, jobs: Jobs
) -> None:
    """A lost dispute that is being recorded counts requested refunds: they must not fail meanwhile."""
    one = await create_paid_payment()
    paystack.add_transaction(one.reference)
    await request_refund(one.reference)
    paystack.fail(TOO_LARGE, operation="refund")
    held = paystack.hold("refund")

    async def waits_or_is_written() -> bool:
        waiting = select(func.count()).select_from(text("pg_locks")).where(text("NOT granted"))
        failed = select(func.count()).select_from(Refund).where(Refund.status == "failed")
        async with sessions() as session:
            return bool((await session.execute(waiting)).scalar_one() or (await session.execute(failed)).scalar_one())

    refusing = asyncio.create_task(jobs.execute_refunds())
    await asyncio.wait_for(held.arrived.wait(), 5)
    async with sessions.begin() as holder:
        await holder.execute(select(Payment.id).where(Payment.id == one.id).with_for_update())
        held.release.set()
        await until(waits_or_is_written, 5)
        assert (await holder.execute(select(Refund.status))).scalars().all() == ["requested"]
    await refusing
    assert await refund_statuses() == ["failed"]


async def test_refund_when_it_is_heard_of_before_the_payment_waits_for_the_payment(
    client: httpx.AsyncClient, paystack: FakePaystack, jobs: Jobs
) -> None:
    """Declined, then paid on the same page and refunded in part; the payment's own webhook comes last, and its order is delivered."""
    declined, unheard = await create_paid_payment(status="failed", paid_amount=None), await create_payment()
    for one in (declined, unheard):
        transaction = paystack.add_transaction(one.reference)
        paystack.add_refund(transaction, 10_000, note="by the desk", status="processed")
        await deliver_from(client, paystack)
        await jobs.execute_refunds()
        stored = await find_payment(one.reference)
        assert (stored.status, stored.refunded_amount) == ("pending", 0)
        assert stored.verify_next_attempt_at <= datetime.now(UTC), "the payment is verified at once"
        await deliver(client, charge_success(one.reference))
        assert (await find_payment(one.reference)).status == "succeeded"
        await jobs.execute_refunds()
        stored = await find_payment(one.reference)
        assert (stored.status, stored.refunded_amount) == ("partially_refunded", 10_000)
    assert await outbox_types() == ["payment.succeeded", "payment.refunded"] * 2


async def test_chargeback_when_our_refund_is_refused_is_recorded(
    client: httpx.AsyncClient, paystack: FakePaystack, jobs: Jobs
) -> None:
    """While our refund is requested, nobody knows what the dispute took. Once it is refused, that money cannot be requested again."""
    one, dispute = await create_disputed_payment(client, paystack)
    await request_refund(one.reference)
    paystack.resolve_dispute(dispute, lost=True)
    await deliver_from(client, paystack)
    await jobs.poll_disputes()
    paystack.fail(TOO_LARGE, operation="refund")
    await jobs.execute_refunds()
    rows = [(refund.requested_by, refund.status, refund.amount) for refund in await all_refunds()]
    assert rows == [("test", "failed", 50_000), ("paystack", "pending", 50_000)]


async def test_refunds_when_two_executors_and_webhooks_interfere_are_sent_once(
    paystack: FakePaystack, clients: Clients, notifier: Notifier, jobs: Jobs
) -> None:
    one = await create_paid_payment()
    paystack.add_transaction(one.reference)
    for _ in range(3):
        await request_refund(one.reference, 10_000)
    # The refund arrives, and its answer is held back: another executor that ran now would find nothing listed and send it again.
    held = paystack.hold("refund")
    first, second = jobs.refund_executor, jobs.refund_executor
    async with living(first.run, second.run):
        for number in range(3):
            await asyncio.wait_for(held.arrived.wait(), 10)
            held.arrived.clear()
            async with sessions.begin() as session:
                await requests.schedule_sync(session, [one.reference])
            notifier.wake_local(Topic.REFUNDS)
            # A third executor finds that the payment is leased.
            await jobs.execute_refunds()
            assert len(paystack.calls_to("refund")) == number + 1
            held.release.set()
            held = paystack.hold("refund")

        async def all_sent() -> bool:
            return len(paystack.calls_to("refund")) == 3 and set(await refund_statuses()) == {"pending"}

        await until(all_sent, 20)
    for refund in paystack.transactions[one.reference].refunds:
        refund["status"] = "processed"
    await jobs.sync_refunds()
    assert await refund_statuses() == ["processed"] * 3
    assert len(paystack.calls_to("refund")) == 3
    assert len({body["merchant_note"] for body in paystack.bodies_of("refund")}) == 3


async def end_lease(reference: str) -> None:
    """Let the lease on the payment end, as if the executor had been suspended for a minute."""
    await change_payments(reference, refunds_leased_until=datetime.now(UTC) - timedelta(seconds=1))


@pytest.mark.parametrize("taken_by_another", [False, True])
async def test_executor_when_its_lease_has_ended_sends_nothing_before_it_reads_the_refunds_again(
    paystack: FakePaystack, jobs: Jobs, taken_by_another: bool
) -> None:
    one = await create_paid_payment()
    paystack.add_transaction(one.reference)
    await request_refund(one.reference, 10_000)
    held = paystack.hold("refunds")
    executing = asyncio.create_task(jobs.execute_refunds())
    await asyncio.wait_for(held.arrived.wait(), 5)
    await end_lease(one.reference)
    paystack.faults.holds.clear()
    if taken_by_another:
        await jobs.execute_refunds()
        assert len(paystack.calls_to("refund")) == 1
    held.release.set()
    await executing
    # An executor that lost its lease takes the payment again, reads the refunds again, and only then sends one.
    assert [call.operation for call in paystack.calls][-2:] == ["refunds", "refund"]
    assert len(paystack.calls_to("refund")) == 1
    assert await refund_statuses() == ["pending"]


async def test_executor_when_its_lease_has_ended_and_nobody_took_it_reads_the_refunds_again(
    paystack: FakePaystack, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it has read from Paystack may be out of date by then."""
    monkeypatch.setattr(executor, "LEASE", timedelta(seconds=1))
    monkeypatch.setattr(executor, "MARGIN_SECONDS", -60.0)
    one = await create_paid_payment()
    paystack.add_transaction(one.reference)
    await request_refund(one.reference, 10_000)
    held = paystack.hold("refunds")

    async def lease_has_ended() -> bool:
        async with sessions() as session:
            return bool((await session.execute(select(Payment.refunds_leased_until < func.now()))).scalar_one())

    executing = asyncio.create_task(jobs.execute_refunds())
    await asyncio.wait_for(held.arrived.wait(), 5)
    await until(lease_has_ended, 5)
    paystack.faults.holds.clear()
    held.release.set()
    await executing
    operations = [call.operation for call in paystack.calls]
    assert operations[:2] == ["refunds", "refunds"]
    assert operations.count("refund") == 1


async def test_executor_when_it_was_suspended_right_before_the_call_sends_nothing(
    paystack: FakePaystack, clients: Clients, notifier: Notifier, jobs: Jobs
) -> None:
    one = await create_paid_payment()
    paystack.add_transaction(one.reference)
    await request_refund(one.reference, 10_000)
    seconds = itertools.count(step=60)  # a minute passes between any two looks at the clock
    await RefundExecutor(sessions, clients.paystack, notifier, clock=lambda: next(seconds)).run(UntilIdle())
    assert paystack.calls_to("refund") == []
    assert await refund_statuses() == ["requested"]
    await end_lease(one.reference)
    await jobs.execute_refunds()
    assert len(paystack.calls_to("refund")) == 1
