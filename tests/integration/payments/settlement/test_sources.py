"""Webhook, verification and return of the payer settle the same payment at once, and repeat: one event, one set of movements."""

import asyncio
from collections import Counter
from datetime import datetime, timedelta

import httpx
from sqlalchemy import delete, func, select, update

from kit.messaging import inbox
from kit.messaging.inbox import RETENTION
from services.payments.db import sessions
from services.payments.ledger.models import LedgerTransaction
from services.payments.models import OutboxRow, Payment
from services.payments.republish import republish
from services.payments.webhooks.models import WebhookEvent
from tests.factories.payments import create_payment
from tests.fakes.paystack import FakePaystack, charge_success
from tests.fixtures.payments_jobs import process_webhook_events
from tests.fixtures.payments_requests import deliver, post_webhook
from tests.fixtures.payments_rows import find_payment, outbox_events, webhook_events

TRIALS = 50


async def movements() -> Counter[tuple[int | None, str]]:
    async with sessions() as session:
        rows = await session.execute(select(LedgerTransaction.payment_id, LedgerTransaction.kind))
        return Counter((row.payment_id, row.kind) for row in rows)


async def database_time() -> datetime:
    async with sessions() as session:
        moment: datetime = (await session.execute(select(func.clock_timestamp()))).scalar_one()
    return moment


async def test_payment_when_webhook_verify_and_return_race_is_settled_once(
    client: httpx.AsyncClient, customer: dict[str, str], paystack: FakePaystack
) -> None:
    payments = [await create_payment() for _ in range(TRIALS)]
    for one in payments:
        paystack.add_transaction(one.reference)

        async def webhook(reference: str = one.reference) -> None:
            assert (await post_webhook(client, charge_success(reference))).status_code == 200
            await process_webhook_events()

        await asyncio.gather(
            webhook(),
            client.post(f"/payments/{one.reference}/verify", headers=customer),
            client.get("/payments/callback", params={"reference": one.reference}),
            webhook(),
        )
    await process_webhook_events()
    assert {event.status for event in await webhook_events()} == {"processed"}
    assert {(await find_payment(one.reference)).status for one in payments} == {"succeeded"}
    events = Counter((event.type, event.data.reference) for event in await outbox_events())
    assert events == Counter(("payment.succeeded", one.reference) for one in payments)
    moved = await movements()
    assert set(moved.values()) == {1}
    assert sum(kind == "received" for _, kind in moved) == TRIALS


async def test_payment_when_its_webhook_repeats_after_pruning_is_not_settled_again(client: httpx.AsyncClient) -> None:
    """Paystack repeats for 72 hours, and its dashboard sends a webhook again on request."""
    one = await create_payment()
    await deliver(client, charge_success(one.reference))
    before = await movements()
    async with sessions.begin() as session:
        await session.execute(update(WebhookEvent).values(received_at=func.now() - RETENTION - timedelta(days=1)))
        assert await inbox.prune(session, WebhookEvent) == 1
    assert await webhook_events() == []
    await deliver(client, charge_success(one.reference))
    (stored,) = await webhook_events()
    assert (stored.status, stored.outcome) == ("processed", "unchanged: succeeded")
    assert [event.type for event in await outbox_events()] == ["payment.succeeded"]
    assert await movements() == before


async def test_payment_when_its_webhook_is_72_hours_late_succeeds(client: httpx.AsyncClient) -> None:
    """The sweeper abandoned it long ago; money that comes all the same is settled."""
    one = await create_payment(status="abandoned")
    async with sessions.begin() as session:
        await session.execute(update(Payment).values(created_at=func.now() - timedelta(hours=73)))
    await deliver(client, charge_success(one.reference))
    assert (await find_payment(one.reference)).status == "succeeded"
    assert [event.type for event in await outbox_events()] == ["payment.succeeded"]


async def test_republish_when_a_database_was_restored_publishes_what_happened_since(client: httpx.AsyncClient) -> None:
    paid, later = await create_payment(), await create_payment()
    await deliver(client, charge_success(paid.reference))
    began = await database_time()
    await deliver(client, charge_success(later.reference))
    await create_payment()
    async with sessions.begin() as session:
        await session.execute(delete(OutboxRow))  # the broker has them
    assert [count async for count in republish(began, await database_time())] == [1]
    (event,) = await outbox_events()
    assert (event.type, event.subject) == ("payment.succeeded", str(later.order_id))
