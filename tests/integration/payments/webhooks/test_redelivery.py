"""A webhook event that is delivered again is due for another attempt, unless it is processed already."""

from datetime import UTC, datetime, timedelta

import httpx
from sqlalchemy import select, update

from services.payments.db import sessions
from services.payments.webhooks.models import WebhookEvent
from tests.factories.payments import create_payment
from tests.fakes.paystack import charge_success
from tests.fixtures.payments_requests import deliver, post_webhook
from tests.fixtures.payments_rows import find_payment, webhook_events


async def change_events(**values: object) -> None:
    async with sessions.begin() as session:
        await session.execute(update(WebhookEvent).values(**values))


async def test_failed_event_when_it_is_delivered_again_is_processed(client: httpx.AsyncClient) -> None:
    webhook = charge_success("pay-later")
    webhook["data"]["amount"] = None  # the event fails: its charge is incomplete, and there is no payment to verify
    await deliver(client, webhook)
    (failed,) = await webhook_events()
    assert (failed.status, failed.attempts) == ("failed", 1)
    await create_payment("pay-later")
    await deliver(client, webhook)
    (event,) = await webhook_events()
    assert (event.status, event.outcome, event.attempts) == ("processed", "verification scheduled", 1)


async def test_pending_event_when_it_is_delivered_again_is_due_at_once(client: httpx.AsyncClient) -> None:
    one = await create_payment()
    await post_webhook(client, charge_success(one.reference))
    await change_events(attempts=7, next_attempt_at=datetime.now(UTC) + timedelta(hours=6))
    await deliver(client, charge_success(one.reference))
    (event,) = await webhook_events()
    assert (event.status, event.attempts) == ("processed", 8)
    assert (await find_payment(one.reference)).status == "succeeded"


async def test_processed_event_when_it_is_delivered_again_stays_processed(client: httpx.AsyncClient) -> None:
    one = await create_payment()
    for _ in range(2):
        await deliver(client, charge_success(one.reference))
    (event,) = await webhook_events()
    assert (event.status, event.attempts) == ("processed", 1)


async def test_event_that_a_worker_is_processing_when_it_is_delivered_again_is_answered_meanwhile(
    client: httpx.AsyncClient,
) -> None:
    webhook = charge_success((await create_payment()).reference)
    await post_webhook(client, webhook)
    async with sessions.begin() as session:
        await session.execute(select(WebhookEvent.id).with_for_update())
        assert (await post_webhook(client, webhook)).status_code == 200
        other = await post_webhook(client, charge_success("pay-other"))
        assert other.status_code == 200
    assert len(await webhook_events()) == 2
