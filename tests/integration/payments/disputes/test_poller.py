"""The dispute poller finds disputes whose webhook was lost, and warns before a deadline."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import func, select, text

from kit.worker.shutdown import Shutdown
from services.payments.db import Topic, sessions
from services.payments.disputes import records
from services.payments.metrics import Metrics
from services.payments.models import Payment
from tests.factories.payments import create_paid_payment
from tests.fakes.paystack import FakePaystack, dispute_event
from tests.fixtures.loops import until
from tests.fixtures.metrics import metric
from tests.fixtures.payments_jobs import Jobs, process_webhook_events
from tests.fixtures.payments_requests import create_disputed_payment, post_webhook
from tests.fixtures.payments_rows import all_refunds, execute, find_dispute, find_payment, outbox_types


async def test_search_when_webhooks_were_lost_finds_the_disputes(paystack: FakePaystack, jobs: Jobs) -> None:
    payments = [await create_paid_payment() for _ in range(60)]
    for one in payments:
        paystack.open_dispute(paystack.add_transaction(one.reference), 50_000)
    poller = jobs.dispute_poller
    await poller.search(Shutdown())
    assert {(await find_payment(one.reference)).status for one in payments} == {"disputed"}
    await poller.search(Shutdown())
    assert await outbox_types() == ["payment.disputed"] * 60


async def test_dispute_when_paystack_is_down_is_recorded_from_its_webhook(
    client: httpx.AsyncClient, paystack: FakePaystack, jobs: Jobs
) -> None:
    paystack.go_down()
    one, body = await create_disputed_payment(client, paystack)
    assert (await find_payment(one.reference)).status == "disputed"
    with pytest.raises(Exception, match="ConnectError"):
        await jobs.poll_disputes()
    assert (await find_dispute(body["id"])).next_attempt_at is not None


async def test_metrics_when_disputes_await_a_response_show_the_first_deadline(
    client: httpx.AsyncClient, paystack: FakePaystack, jobs: Jobs
) -> None:
    await Metrics(sessions).measure()
    assert metric("disputes_open") == 0
    assert metric("dispute_due_seconds") == float("inf")
    soon = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
    await create_disputed_payment(client, paystack)
    _, body = await create_disputed_payment(client, paystack, dueAt=soon)
    await Metrics(sessions).measure()
    assert metric("disputes_open") == 2
    assert 7100 < metric("dispute_due_seconds") <= 7200
    # A dispute that the bank decides does not wait for our response.
    body["status"] = "awaiting-bank-feedback"
    await jobs.poll_disputes()
    await Metrics(sessions).measure()
    assert metric("disputes_open") == 2
    assert metric("dispute_due_seconds") > 7200


async def test_poll_when_a_deadline_is_near_logs_a_critical_line_and_polls_before_it(
    client: httpx.AsyncClient, paystack: FakePaystack, jobs: Jobs, caplog: pytest.LogCaptureFixture
) -> None:
    _, body = await create_disputed_payment(
        client, paystack, dueAt=(datetime.now(UTC) + timedelta(minutes=10)).isoformat()
    )
    await jobs.poll_disputes()
    assert "dispute due soon" in caplog.text
    stored = await find_dispute(body["id"])
    assert stored.next_attempt_at is not None
    assert stored.next_attempt_at <= stored.due_at


async def test_poll_when_every_search_fails_is_still_made(paystack: FakePaystack, jobs: Jobs) -> None:
    one = await create_paid_payment()
    opened = paystack.open_dispute(paystack.add_transaction(one.reference), 50_000)
    await jobs.dispute_poller.search(Shutdown())
    await execute("UPDATE disputes SET next_attempt_at = now()")
    paystack.resolve_dispute(opened, lost=False)
    paystack.disputes[0] = opened | {"id": None, "status": "awaiting-merchant-feedback"}
    shutdown = Shutdown()
    searches = len(paystack.calls_to("disputes"))

    async def resolved() -> bool:
        return (await find_payment(one.reference)).status != "disputed"

    async def polled() -> bool:
        return (await find_dispute(opened["id"])).attempts == 0

    async with asyncio.TaskGroup() as group:
        group.create_task(jobs.dispute_poller.run(shutdown))
        await until(resolved)
        for _ in range(3):
            await execute("UPDATE disputes SET next_attempt_at = now(), attempts = -1")
            jobs.notifier.wake_local(Topic.DISPUTES)
            await until(polled)
        shutdown.request()
    assert len(paystack.calls_to("disputes")) == searches + 1, "a failed search is not repeated with each poll"


async def test_poll_when_a_webhook_event_asks_for_another_while_it_is_written_is_repeated(
    client: httpx.AsyncClient, paystack: FakePaystack, jobs: Jobs
) -> None:
    one, body = await create_disputed_payment(client, paystack)

    async def waits() -> bool:
        async with sessions() as session:
            waiting = select(func.count()).select_from(text("pg_locks")).where(text("NOT granted"))
            return bool((await session.execute(waiting)).scalar_one())

    async with sessions.begin() as holder:
        await holder.execute(select(Payment.id).where(Payment.id == one.id).with_for_update())
        polling = asyncio.create_task(jobs.dispute_poller.poll_due(Shutdown()))
        await until(waits, 5)
        async with sessions.begin() as session:
            await records.schedule_poll(session, body["id"])
    assert await polling
    assert await jobs.dispute_poller.poll_due(Shutdown())
    assert len(paystack.calls_to("dispute")) == 2


async def test_disputes_when_webhooks_polls_and_refunds_race_end_once(
    client: httpx.AsyncClient, paystack: FakePaystack, jobs: Jobs
) -> None:
    payments = [await create_paid_payment() for _ in range(10)]
    for one in payments:
        opened = paystack.open_dispute(paystack.add_transaction(one.reference), 50_000)
        create, remind = dispute_event("create", opened), dispute_event("remind", opened)
        resolved = paystack.resolve_dispute(opened, lost=True, listed=True)
        for each in (dispute_event("resolve", paystack.shown_dispute(resolved)), create, remind):
            await post_webhook(client, each)
    for _ in range(5):
        await asyncio.gather(
            process_webhook_events(),
            process_webhook_events(),
            jobs.poll_disputes(),
            jobs.poll_disputes(),
            jobs.execute_refunds(),
            jobs.execute_refunds(),
        )
        await execute("UPDATE disputes SET next_attempt_at = now()")
        await execute("UPDATE payments SET refunds_next_attempt_at = now()")
    ends = [await find_payment(one.reference) for one in payments]
    assert {(one.status, one.refunded_amount) for one in ends} == {("refunded", 50_000)}
    assert len(await all_refunds()) == 10
    types = await outbox_types()
    assert (types.count("payment.dispute_resolved"), types.count("payment.refunded")) == (10, 10)
