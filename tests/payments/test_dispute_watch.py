"""Disputes are watched: found without a notice, and said aloud before their time is over."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import text

from kit.worker.shutdown import Shutdown
from services.payments import metrics
from services.payments.db import sessions
from services.payments.disputes.poller import DisputePoller
from services.payments.metrics import Metrics
from tests.payments.bank import Bank, dispute, notice
from tests.payments.complaints import (
    LISTED,
    NUMBERS,
    disputed,
    look,
    look_at_refunds,
    lost,
    paid,
    refunds,
    the_dispute,
)
from tests.payments.conftest import clients, found, notifier, outbox_types, send, settle_all


async def test_a_dispute_that_no_notice_told_of_is_found(client: httpx.AsyncClient, bank: Bank) -> None:
    payments = [await paid() for _ in range(60)]
    for one in payments:
        number = next(NUMBERS)
        bank.disputes[number] = dispute(number, one.reference)
    watch = DisputePoller(sessions, clients().paystack, notifier())
    await watch.search(Shutdown())
    assert {(await found(one.reference)).status for one in payments} == {"disputed"}
    await watch.search(Shutdown())
    assert await outbox_types() == ["payment.disputed"] * 60


async def test_paystack_away_the_clock_runs_all_the_same(client: httpx.AsyncClient, bank: Bank) -> None:
    bank.down = True
    one, body = await disputed(client, bank)
    assert (await found(one.reference)).status == "disputed"
    with pytest.raises(Exception, match="ConnectError"):
        await look()
    assert (await the_dispute(body["id"])).next_attempt_at is not None


async def test_the_metrics_alarm(client: httpx.AsyncClient, bank: Bank) -> None:
    await Metrics(sessions).measure()
    assert metrics.disputes_open._value.get() == 0
    assert metrics.dispute_due_seconds._value.get() == float("inf")
    soon = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
    await disputed(client, bank)
    _, body = await disputed(client, bank, dueAt=soon)
    await Metrics(sessions).measure()
    assert metrics.disputes_open._value.get() == 2
    assert 7100 < metrics.dispute_due_seconds._value.get() <= 7200
    # What the bank has in hand does not wait for us.
    bank.disputes[body["id"]] = body | {"status": "awaiting-bank-feedback"}
    await look()
    await Metrics(sessions).measure()
    assert metrics.disputes_open._value.get() == 2
    assert metrics.dispute_due_seconds._value.get() > 7200


async def test_the_last_hours_are_said_aloud(
    client: httpx.AsyncClient, bank: Bank, caplog: pytest.LogCaptureFixture
) -> None:
    _, body = await disputed(client, bank, dueAt=(datetime.now(UTC) + timedelta(minutes=10)).isoformat())
    await look()
    assert "about to be accepted" in caplog.text
    kept = await the_dispute(body["id"])
    assert kept.next_attempt_at is not None
    assert kept.next_attempt_at <= kept.due_at


async def test_everything_at_once(client: httpx.AsyncClient, bank: Bank) -> None:
    """Notices, looks and refunds that race: one end, one refund, and no subunit twice."""
    payments = [await paid() for _ in range(10)]
    bodies = [dispute(next(NUMBERS), one.reference) for one in payments]
    bank.disputes = {body["id"]: lost(body) for body in bodies}
    listed = {body["transaction"]["reference"]: {**LISTED, "id": body["id"]} for body in bodies}
    by_transaction = {str(one.id): listed[one.reference] for one in payments}
    bank.refunds_of = lambda transaction: [by_transaction[transaction]]
    for body in bodies:
        for each in (notice("resolve", lost(body)), notice("create", body), notice("remind", body)):
            await send(client, each)
    for _ in range(5):
        await asyncio.gather(settle_all(), settle_all(), look(), look(), look_at_refunds(), look_at_refunds())
        async with sessions.begin() as session:
            await session.execute(text("UPDATE disputes SET next_attempt_at = now()"))
            await session.execute(text("UPDATE payments SET refunds_next_attempt_at = now()"))
    assert {(one.status, one.refunded_amount) for one in [await found(p.reference) for p in payments]} == {
        ("refunded", 50_000)
    }
    assert len(await refunds()) == 10
    types = await outbox_types()
    assert (types.count("payment.dispute_resolved"), types.count("payment.refunded")) == (10, 10)
