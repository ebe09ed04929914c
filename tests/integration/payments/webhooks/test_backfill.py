"""Webhooks that never came are fetched from Paystack's Webhook Events API, once each, and are processed like any other."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import select, update

from kit.messaging.notifier import Notifier
from kit.worker.shutdown import Shutdown
from services.payments.db import sessions
from services.payments.paystack.client import Paystack
from services.payments.paystack.rate_limit import RateLimit
from services.payments.webhooks import backfill
from services.payments.webhooks.backfill import EVENT_HEADER, Backfill, BackfillReport
from services.payments.webhooks.models import BackfillState
from tests.factories.payments import create_payment
from tests.fakes.paystack import Clock, FakePaystack, Json, RateLimits, charge_success, success
from tests.fakes.shutdown import OnClock
from tests.fixtures.merchant import KEY, ORIGIN, Merchant
from tests.fixtures.payments import Forward, paystack_client
from tests.fixtures.payments_jobs import Jobs, process_webhook_events
from tests.fixtures.payments_requests import deliver, post_webhook
from tests.fixtures.payments_rows import find_payment, outbox_types, webhook_events
from tests.fixtures.sandbox import in_process_sandbox

AT_ONCE = timedelta(0)
MOON = {"event": "moon.landed", "data": {}}


@pytest.fixture(autouse=True)
def no_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fetch events of the last two minutes too."""
    monkeypatch.setattr(backfill, "IN_DELIVERY", timedelta(0))


@pytest.fixture
async def merchant() -> AsyncIterator[Merchant]:
    """A sandbox whose webhooks go nowhere."""
    async with in_process_sandbox(webhook_url="http://127.0.0.1:9/hook") as own:
        yield own


@pytest.fixture
async def sandbox_jobs(merchant: Merchant, notifier: Notifier) -> AsyncIterator[Jobs]:
    """Jobs that talk to that sandbox."""
    async with paystack_client(Forward(merchant.http), url=ORIGIN, key=KEY) as client:
        yield Jobs(client, notifier)


async def catch_up(
    jobs: Jobs, shutdown: Shutdown | None = None, min_interval: timedelta = AT_ONCE, paystack: Paystack | None = None
) -> BackfillReport | None:
    job = Backfill(sessions, paystack or jobs.paystack, jobs.notifier)
    return await job.catch_up(shutdown or Shutdown(), min_interval)


async def state() -> BackfillState:
    async with sessions() as session:
        return (await session.execute(select(BackfillState))).scalar_one()


async def test_backfill_when_a_webhook_was_lost_stores_and_settles_it(merchant: Merchant, sandbox_jobs: Jobs) -> None:
    started = await merchant.start(amount=50_000)
    one = await create_payment(started["reference"])
    await merchant.pay(one.reference, outcome="success", deliveries=0)
    assert await catch_up(sandbox_jobs) == BackfillReport(checked=1, stored=1, complete=True)
    (stored,) = await webhook_events()
    assert (stored.status, len(stored.key)) == ("pending", 64)
    assert EVENT_HEADER in stored.headers
    await process_webhook_events()
    assert (await find_payment(one.reference)).status == "succeeded"
    assert await outbox_types() == ["payment.succeeded"]
    assert await catch_up(sandbox_jobs) == BackfillReport(checked=1, stored=0, complete=True)


async def test_backfill_when_an_entry_is_unreadable_stores_the_others(
    paystack: FakePaystack, jobs: Jobs, caplog: pytest.LogCaptureFixture
) -> None:
    one = await create_payment()
    paystack.archive_event(charge_success(one.reference))
    paystack.archive_event(event_name=None)
    paystack.archive_event(event_name=7)
    assert await catch_up(jobs) == BackfillReport(checked=3, stored=1, complete=True)
    assert "skipped" in caplog.text
    assert (await state()).complete_until is not None


async def test_webhook_when_it_arrives_after_the_backfill_is_the_same_event(
    client: httpx.AsyncClient, merchant: Merchant, sandbox_jobs: Jobs
) -> None:
    started = await merchant.start(amount=50_000)
    await create_payment(started["reference"])
    await merchant.pay(started["reference"], outcome="success", deliveries=0)
    await catch_up(sandbox_jobs)
    (stored,) = await webhook_events()
    await post_webhook(client, bytes(stored.body))
    assert len(await webhook_events()) == 1


async def test_backfill_when_events_are_stored_already_fetches_the_missing_one_only(
    client: httpx.AsyncClient, paystack: FakePaystack, jobs: Jobs
) -> None:
    webhooks = [charge_success((await create_payment()).reference) for _ in range(120)]
    for webhook in webhooks:
        paystack.archive_event(webhook, webhook["data"]["id"])
    await asyncio.gather(*(post_webhook(client, webhook) for webhook in webhooks[:119]))
    await process_webhook_events()
    await process_webhook_events()
    assert await catch_up(jobs) == BackfillReport(checked=120, stored=1, complete=True)
    assert [call.path.rpartition("/")[2] for call in paystack.calls] == ["events", "e119", "events", "events"]
    await process_webhook_events()
    assert len(await outbox_types()) == 120


async def test_backfill_when_it_runs_again_stores_nothing_twice(paystack: FakePaystack, jobs: Jobs) -> None:
    # The entries of the list have no `category_row_id`, so every event is fetched, and then found to be stored.
    for _ in range(7):
        paystack.archive_event(charge_success((await create_payment()).reference))
    paystack.archive_event(MOON)
    assert await catch_up(jobs) == BackfillReport(checked=8, stored=8, complete=True)
    assert await catch_up(jobs) == BackfillReport(checked=8, stored=0, complete=True)  # before they are processed
    await process_webhook_events()
    assert await catch_up(jobs) == BackfillReport(checked=8, stored=0, complete=True)
    assert len(await outbox_types()) == 7


async def test_backfill_when_two_partial_refunds_are_equal_stores_both(
    client: httpx.AsyncClient, paystack: FakePaystack, jobs: Jobs
) -> None:
    await create_payment("pay-1")
    data = {"transaction_reference": "pay-1", "refund_reference": None, "amount": "100", "status": "pending"}
    webhook: Json = {"event": "refund.pending", "data": data}
    await deliver(client, webhook)
    paystack.archive_event(webhook, 1, status="Delivered")
    paystack.archive_event(webhook, 2, status="Failed")
    assert await catch_up(jobs) == BackfillReport(checked=2, stored=1, complete=True)
    assert await catch_up(jobs) == BackfillReport(checked=2, stored=0, complete=True)
    assert [each.outcome for each in await webhook_events()] == ["refund sync scheduled", None]


async def test_backfill_when_the_database_was_restored_stores_what_was_delivered_to_the_old_one(
    paystack: FakePaystack, jobs: Jobs
) -> None:
    one = await create_payment()
    webhook = charge_success(one.reference)
    paystack.archive_event(webhook, webhook["data"]["id"], status="Delivered")
    assert await catch_up(jobs) == BackfillReport(checked=1, stored=1, complete=True)
    await process_webhook_events()
    assert (await find_payment(one.reference)).status == "succeeded"


async def test_backfill_when_an_event_has_no_payload_stores_it_and_it_fails(paystack: FakePaystack, jobs: Jobs) -> None:
    paystack.archive_event(event_name="charge.success", row_id=4711)
    assert await catch_up(jobs) == BackfillReport(checked=1, stored=1, complete=True)
    await process_webhook_events()
    (stored,) = await webhook_events()
    assert (stored.key, stored.identity, stored.status) == ("event-e0", "charge.success:4711", "failed")
    assert await catch_up(jobs) == BackfillReport(checked=1, stored=0, complete=True)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(404, json={"status": False, "message": "no such thing"}),
        httpx.Response(500),
        httpx.Response(401, json={"status": False}),
        httpx.Response(429, json={"status": False}),
        httpx.Response(200, json={"status": True, "data": {}}),
        httpx.Response(200, json={"status": True, "data": [{"_id": "x"}]}),
        httpx.Response(200, json={"status": True, "data": [5]}),
    ],
    ids=str,
)
async def test_backfill_when_paystack_fails_is_incomplete_and_waits_for_its_next_run(
    paystack: FakePaystack, jobs: Jobs, answer: httpx.Response
) -> None:
    paystack.fail(answer, times=None)
    found = await catch_up(jobs)
    assert found is not None
    assert (found.complete, bool(found.error)) == (False, True)
    assert (await state()).complete_until is None
    assert await catch_up(jobs, min_interval=timedelta(minutes=15)) is None  # not at once again


async def test_backfill_when_a_listed_event_cannot_be_fetched_stores_the_others(
    paystack: FakePaystack, jobs: Jobs
) -> None:
    one = await create_payment()
    paystack.archive_event(MOON)
    paystack.archive_event(charge_success(one.reference))
    webhook_not_found = httpx.Response(404, json={"status": False, "message": "Webhook not found"})
    paystack.fail(webhook_not_found, operation="event")
    assert await catch_up(jobs) == BackfillReport(checked=2, stored=1, complete=True)


async def test_backfill_when_pages_repeat_ends(paystack: FakePaystack, jobs: Jobs) -> None:
    entry = paystack.archive_event(charge_success("pay-1"), 1)
    paystack.fail(success([entry], meta={"next": "again"}), operation="events", times=None)
    found = await catch_up(jobs)
    assert found is not None
    assert found.complete
    assert len(paystack.calls) == 4


async def test_backfill_when_it_ran_before_begins_where_the_last_complete_run_ended(
    paystack: FakePaystack, jobs: Jobs
) -> None:
    now = datetime.now(UTC)
    await catch_up(jobs)
    await catch_up(jobs)
    async with sessions.begin() as session:  # a night of downtime
        night = now - timedelta(hours=9)
        await session.execute(update(BackfillState).values(ran_at=night, complete_until=night))
    assert await catch_up(jobs, min_interval=timedelta(minutes=15)) is not None
    since = [datetime.fromisoformat(body["from"]) for body in paystack.bodies_of("events")]
    assert abs(since[0] - (now - backfill.FIRST_PERIOD)) < timedelta(seconds=30)
    assert abs(since[1] - (now - backfill.OVERLAP)) < timedelta(seconds=30)
    assert abs(since[2] - (night - backfill.OVERLAP)) < timedelta(seconds=1)
    assert await catch_up(jobs, min_interval=timedelta(minutes=15)) is None


async def test_backfill_when_another_process_died_midway_waits_for_its_lease(
    paystack: FakePaystack, jobs: Jobs
) -> None:
    held = paystack.hold("events")
    dying = asyncio.create_task(catch_up(jobs))
    await asyncio.wait_for(held.arrived.wait(), 5)
    dying.cancel()
    held.release.set()
    await asyncio.gather(dying, return_exceptions=True)
    assert await catch_up(jobs) is None
    async with sessions.begin() as session:
        await session.execute(update(BackfillState).values(leased_until=datetime.now(UTC)))
    assert await catch_up(jobs) == BackfillReport(complete=True)
    assert (await state()).holder is None


async def test_backfill_when_shutdown_is_requested_is_incomplete_and_the_next_finishes(
    paystack: FakePaystack, jobs: Jobs
) -> None:
    for _ in range(5):
        paystack.archive_event(charge_success((await create_payment()).reference))
    shutdown = Shutdown()

    def request_shutdown_at_the_third() -> None:
        if len(paystack.calls_to("event")) == 3:
            shutdown.request()

    paystack.before_call = request_shutdown_at_the_third
    found = await catch_up(jobs, shutdown)
    assert found is not None
    assert (found.complete, found.stored) == (False, 3)
    assert (await state()).complete_until is None
    assert await catch_up(jobs) == BackfillReport(checked=5, stored=2, complete=True)


async def test_backfill_when_many_events_were_lost_keeps_the_rate_limit(paystack: FakePaystack, jobs: Jobs) -> None:
    for number in range(200):
        paystack.archive_event({"event": "moon.landed", "data": {"n": number}})
    limits = paystack.rate_limits = RateLimits(Clock())
    async with paystack_client(paystack, RateLimit(100, None, limits.clock)) as client:
        assert await catch_up(jobs, OnClock(limits.clock), paystack=client) == BackfillReport(
            checked=200, stored=200, complete=True
        )
    assert limits.refused == 0
    assert max(limits.made.values()) <= 82
