"""Requests and commands wake exactly the background jobs that they create work for."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from uuid import uuid4

import asyncpg
import httpx
import pytest

from kit.messaging.notifier import Notifier
from services.payments.db import Topic
from services.payments.settings import settings
from tests.factories.payments import create_paid_payment, create_payment
from tests.fakes.paystack import FakePaystack, charge_success
from tests.fakes.paystack.endpoints import UPLOADED_FILENAME
from tests.fixtures.loops import until
from tests.fixtures.payments_cli import CommandLine
from tests.fixtures.payments_requests import create_disputed_payment, deliver, post_webhook, save_card

Woken = Callable[[], set[Topic]]


@pytest.fixture
def woken(notifier: Notifier) -> Woken:
    """Return the topics whose jobs were woken since the last call."""
    events = {topic: notifier.subscribe(topic) for topic in Topic}

    def take() -> set[Topic]:
        topics = {topic for topic, event in events.items() if event.is_set()}
        for event in events.values():
            event.clear()
        return topics

    return take


async def test_webhook_wakes_the_processor(client: httpx.AsyncClient, woken: Woken) -> None:
    woken()
    assert (await post_webhook(client, charge_success("pay-1"))).status_code == 200
    assert woken() == {Topic.WEBHOOK_EVENTS}


async def test_refund_request_wakes_the_refund_executor(
    client: httpx.AsyncClient, operator: dict[str, str], woken: Woken
) -> None:
    payment = await create_paid_payment()
    woken()
    headers = {**operator, "Idempotency-Key": uuid4().hex}
    answer = await client.post(f"/payments/{payment.reference}/refunds", json={"amount": 100}, headers=headers)
    assert answer.status_code == 202, answer.text
    assert woken() == {Topic.REFUNDS}


async def test_accepting_a_held_payment_wakes_the_relay(
    client: httpx.AsyncClient, operator: dict[str, str], woken: Woken
) -> None:
    payment = await create_payment()
    await deliver(client, charge_success(payment.reference, 49_950))
    woken()
    answer = await client.post(f"/payments/{payment.reference}/accept", json={"reason": "waived"}, headers=operator)
    assert answer.status_code == 200, answer.text
    assert woken() == {Topic.OUTBOX}


async def test_deleting_a_card_wakes_the_card_deactivator(
    client: httpx.AsyncClient, customer: dict[str, str], woken: Woken
) -> None:
    card = await save_card(client, customer)
    woken()
    assert (await client.delete(f"/payments/cards/{card['id']}", headers=customer)).status_code == 204
    assert woken() == {Topic.CARDS}


async def test_responding_to_a_dispute_wakes_the_poller_the_refund_executor_and_the_relay(
    client: httpx.AsyncClient, paystack: FakePaystack, operator: dict[str, str], woken: Woken
) -> None:
    _, dispute = await create_disputed_payment(client, paystack)
    woken()
    body = {"resolution": "declined", "message": "Signed for", "uploaded_filename": UPLOADED_FILENAME}
    answer = await client.post(f"/payments/disputes/{dispute['id']}/resolve", json=body, headers=operator)
    assert answer.status_code == 200, answer.text
    assert woken() == {Topic.DISPUTES, Topic.REFUNDS, Topic.OUTBOX}


@asynccontextmanager
async def notifications() -> AsyncIterator[list[str]]:
    """Collect the topics that other processes are notified of."""
    received: list[str] = []
    listener = await asyncpg.connect(settings.payments_database_url.get_secret_value(), timeout=5)
    try:
        await listener.add_listener("payments", lambda *args: received.append(str(args[-1])))
        yield received
    finally:
        await listener.close()


async def test_commands_wake_the_jobs_of_the_worker(
    client: httpx.AsyncClient, notifier: Notifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = CommandLine(monkeypatch)
    accepted, refunded = await create_payment(), await create_payment()
    await deliver(client, charge_success(accepted.reference, 49_950), charge_success(refunded.reference, 49_950))
    async with asyncio.timeout(5):
        await notifier.flush()
    commands = {
        ("holds", "accept", accepted.reference, "--reason", "waived"): Topic.OUTBOX,
        ("holds", "refund", refunded.reference, "--reason", "returned"): Topic.REFUNDS,
        ("webhooks", "reprocess", "--status", "processed"): Topic.WEBHOOK_EVENTS,
    }
    async with notifications() as received:
        for arguments, topic in commands.items():
            received.clear()
            result = await command.run(*arguments)
            assert result.code == 0, result.err

            async def arrived() -> bool:
                return bool(received)

            await until(arrived)
            assert set(received) == {topic}, arguments
