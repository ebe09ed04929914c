"""The sweeper verifies payments whose webhook is late: none twice, none forgotten."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from services.payments.db import sessions
from services.payments.models import Payment
from services.payments.settlement import sweeper
from services.payments.settlement.sweeper import Sweeper
from tests.factories.payments import LONG_AGO, create_payment
from tests.fakes.paystack import FakePaystack, refusal
from tests.fixtures.loops import living, until
from tests.fixtures.payments_jobs import Jobs
from tests.fixtures.payments_rows import change_payments, find_payment, outbox_types


async def test_sweep_when_payments_are_old_abandons_them_after_one_more_answer(
    paystack: FakePaystack, jobs: Jobs
) -> None:
    paid, unpaid, unknown = [await create_payment(verify_next_attempt_at=LONG_AGO) for _ in range(3)]
    await change_payments(created_at=LONG_AGO)
    paystack.add_transaction(paid.reference)
    paystack.add_transaction(unpaid.reference, status="abandoned")
    await jobs.sweep()
    assert (await find_payment(paid.reference)).status == "succeeded"
    assert (await find_payment(unpaid.reference)).status == "abandoned"
    assert (await find_payment(unknown.reference)).status == "abandoned"
    assert await outbox_types() == ["payment.succeeded"]


async def test_sweep_when_attempts_repeat_has_growing_and_different_pauses(paystack: FakePaystack, jobs: Jobs) -> None:
    for number in range(20):
        one = await create_payment(verify_next_attempt_at=LONG_AGO, verify_attempts=number % 10)
        paystack.add_transaction(one.reference, status="ongoing")
    before = datetime.now(UTC)
    assert len(await jobs.sweep()) == 20
    async with sessions() as session:
        rows = (await session.execute(select(Payment.verify_attempts, Payment.verify_next_attempt_at))).all()
    pauses: dict[int, list[float]] = {}
    for row in rows:
        pauses.setdefault(row.verify_attempts - 1, []).append((row.verify_next_attempt_at - before).total_seconds())
    assert all(40 < pause < 80 for pause in pauses[0])
    assert all(pause > 300 for pause in pauses[3])
    assert all(pause < 3600 * 1.3 for each in pauses.values() for pause in each)
    assert all(len(set(each)) == 2 for each in pauses.values())


async def test_sweep_when_one_payment_is_locked_settles_the_others(paystack: FakePaystack, jobs: Jobs) -> None:
    ones = [await create_payment(verify_next_attempt_at=LONG_AGO) for _ in range(3)]
    for one in ones:
        paystack.add_transaction(one.reference)
    held = paystack.hold("verify")
    sweeping = asyncio.create_task(jobs.sweep())
    await asyncio.wait_for(held.arrived.wait(), 5)  # the payments are taken, so the sweep does not skip the locked one
    async with sessions() as holder:
        locked = text("SELECT 1 FROM payments WHERE reference = :it FOR UPDATE")
        await holder.execute(locked, {"it": ones[0].reference})
        held.release.set()
        assert sorted(await sweeping) == [False, True, True]
        await holder.rollback()
    assert [(await find_payment(one.reference)).status for one in ones] == ["pending", "succeeded", "succeeded"]


async def test_make_all_due_when_payments_are_pending_makes_them_due() -> None:
    await create_payment()
    async with sessions.begin() as session:
        assert await sweeper.count_due(session) == 0
        await sweeper.make_all_due(session)
    async with sessions() as session:
        assert await sweeper.count_due(session) == 1


# The job as the worker runs it.


@pytest.fixture
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweeper that polls without a pause."""
    monkeypatch.setattr(sweeper, "POLL_SECONDS", 0.02)


def statuses_are(*wanted: tuple[str, str]) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        return all([(await find_payment(reference)).status == status for reference, status in wanted])

    return check


async def test_sweeper_when_webhooks_were_lost_settles_the_payments_that_are_due(
    paystack: FakePaystack, jobs: Jobs, brisk: None
) -> None:
    first, second = [await create_payment(verify_next_attempt_at=LONG_AGO) for _ in range(2)]
    late = await create_payment()
    paystack.add_transaction(first.reference)
    paystack.add_transaction(second.reference, status="failed")
    async with living(jobs.sweeper.run):
        await until(statuses_are((first.reference, "succeeded"), (second.reference, "failed")))
    assert (await find_payment(late.reference)).status == "pending"
    assert sorted(map(str, paystack.verified())) == sorted([first.reference, second.reference])


@pytest.mark.parametrize(
    "fault",
    [
        refusal(403, "forbidden"),
        refusal(400, "invalid_params"),
        httpx.Response(500, json={"status": False}),
        httpx.ReadTimeout("slow"),
        httpx.Response(200, json={"status": True, "data": {}}),
        httpx.Response(429, headers={"x-ratelimit-reset": "0"}, json={}),
    ],
    ids=str,
)
async def test_sweeper_when_one_answer_is_a_fault_settles_the_others(
    paystack: FakePaystack, jobs: Jobs, brisk: None, fault: Any
) -> None:
    ones = [await create_payment(verify_next_attempt_at=LONG_AGO + timedelta(seconds=number)) for number in range(3)]
    for one in ones[1:]:
        paystack.add_transaction(one.reference)
    paystack.fail(fault, reference=ones[0].reference, times=None)
    async with living(jobs.sweeper.run):
        await until(statuses_are(*((one.reference, "succeeded") for one in ones[1:])), 5)
    odd = await find_payment(ones[0].reference)
    assert odd.status == "pending"
    assert odd.verify_next_attempt_at > datetime.now(UTC)


async def test_sweeper_when_the_key_is_rejected_stops_asking_and_fails_no_payment(
    paystack: FakePaystack, jobs: Jobs, brisk: None
) -> None:
    ones = [await create_payment(verify_next_attempt_at=LONG_AGO) for _ in range(30)]
    paystack.fail(refusal(401, "invalid_Key"), times=None)

    async def asked() -> bool:
        return bool(paystack.calls)

    async with living(jobs.sweeper.run):
        await until(asked)
    assert len(paystack.calls) <= sweeper.CONCURRENCY  # those that were on their way
    assert [(await find_payment(one.reference)).status for one in ones] == ["pending"] * 30


async def test_sweeper_when_payments_are_old_asks_once_more_and_abandons_them(
    paystack: FakePaystack, jobs: Jobs, brisk: None
) -> None:
    old, paid = [await create_payment(verify_next_attempt_at=LONG_AGO) for _ in range(2)]
    await change_payments(created_at=LONG_AGO)
    paystack.add_transaction(old.reference, status="abandoned")
    paystack.add_transaction(paid.reference)
    async with living(jobs.sweeper.run):
        await until(statuses_are((old.reference, "abandoned"), (paid.reference, "succeeded")))
    assert len(paystack.calls) == 2
    assert await outbox_types() == ["payment.succeeded"]


async def test_sweeper_when_two_run_shares_the_work(paystack: FakePaystack, jobs: Jobs, brisk: None) -> None:
    ones = [await create_payment(verify_next_attempt_at=LONG_AGO) for _ in range(30)]
    for one in ones:
        paystack.add_transaction(one.reference)
    async with living(jobs.sweeper.run, jobs.sweeper.run):
        await until(statuses_are(*((one.reference, "succeeded") for one in ones)))
    assert len(paystack.calls) == 30
    assert await outbox_types() == ["payment.succeeded"] * 30


async def test_sweeper_when_a_failed_payment_is_paid_on_the_same_page_settles_it(
    paystack: FakePaystack, jobs: Jobs, brisk: None
) -> None:
    one = await create_payment(status="failed", verify_next_attempt_at=LONG_AGO)
    paystack.add_transaction(one.reference)
    async with living(jobs.sweeper.run):
        await until(statuses_are((one.reference, "succeeded")))


async def test_sweeper_when_a_failed_payment_is_old_stops_asking(
    paystack: FakePaystack, jobs: Jobs, brisk: None
) -> None:
    one = await create_payment(status="failed", verify_next_attempt_at=LONG_AGO)
    await change_payments(created_at=LONG_AGO)
    paystack.add_transaction(one.reference, status="failed")

    async def given_up() -> bool:
        return (await find_payment(one.reference)).verify_next_attempt_at.year == 9999

    async with living(jobs.sweeper.run):
        await until(given_up)
    assert (await find_payment(one.reference)).status == "failed"
    assert len(paystack.calls) == 1


async def test_sweep_when_the_plan_is_bad_takes_no_more_than_a_batch_at_once(
    paystack: FakePaystack,
    bad_plans: async_sessionmaker[AsyncSession],
    jobs: Jobs,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sweeper, "BATCH", 10)
    for _ in range(30):
        await create_payment(verify_next_attempt_at=datetime.now(UTC) - timedelta(seconds=1))
    held = paystack.hold("verify")
    async with living(Sweeper(bad_plans, jobs.paystack).run):
        await held.arrived.wait()
        async with sessions() as session:
            taken = select(func.count()).select_from(Payment).where(Payment.verify_attempts == 1)
            assert (await session.execute(taken)).scalar_one() == 10
        paystack.go_down()
        held.release.set()


async def test_sweep_when_a_transfer_is_on_its_way_stores_what_the_payment_waits_for(
    client: httpx.AsyncClient, customer: dict[str, str], paystack: FakePaystack, jobs: Jobs
) -> None:
    one = await create_payment(verify_next_attempt_at=LONG_AGO)
    transaction = paystack.add_transaction(one.reference, status="abandoned")

    async def waiting_for() -> str | None:
        await change_payments(one.reference, verify_next_attempt_at=LONG_AGO)
        assert await jobs.sweep() == [True]
        shown: dict[str, str | None] = (await client.get(f"/payments/{one.reference}", headers=customer)).json()
        assert shown["status"] == "pending"
        return shown["waiting_for"]

    assert await waiting_for() == "payer"
    transaction.changes |= {"status": "pending", "channel": "ussd"}
    assert await waiting_for() == "confirmation"
    transaction.changes |= {"channel": "bank_transfer"}
    assert await waiting_for() == "bank_transfer"
