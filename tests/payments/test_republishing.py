"""What payments told the shop, told again: the same facts under the same ids, each once, a batch at a time."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import delete, func, update

from contracts.events import Event
from services.payments import republish as republishing
from services.payments.db import sessions
from services.payments.models import Inbox, OutboxRow, Payment
from services.payments.republish import republish
from tests.payments.bank import Bank, notice
from tests.payments.complaints import disputed, look, look_at_refunds, lost, tell
from tests.payments.conftest import charge, outbox, payment, send, settle_all
from tests.payments.test_operators import typed

HOUR = timedelta(hours=1)
FACTS = {"payment.succeeded", "payment.refunded", "payment.disputed", "payment.dispute_resolved"}


async def told_again(since: timedelta = HOUR, until: timedelta = -HOUR) -> list[int]:
    now = datetime.now(UTC)
    return [count async for count in republish(now - since, now - until)]


async def sent() -> list[Event]:
    """What waits in the outbox, which is empty then."""
    events = await outbox()
    async with sessions.begin() as session:
        await session.execute(delete(OutboxRow))
    return events


async def paid(client: httpx.AsyncClient, count: int) -> None:
    for _ in range(count):
        await send(client, charge((await payment()).reference))
    await settle_all()


async def test_it_is_what_was_told_in_the_first_place(client: httpx.AsyncClient, bank: Bank) -> None:
    _, body = await disputed(client, bank)
    bank.disputes[body["id"]] = lost(body)
    await tell(client, notice("resolve", lost(body)))
    await look()
    await look_at_refunds()
    await paid(client, 1)
    for odd in (charge((await payment()).reference, 1), charge("nobodys")):
        await send(client, odd)
    await settle_all()
    before = await sent()
    await told_again()
    again = await sent()
    facts = {(event.type, event.id, event.subject) for event in before if event.type in FACTS}
    assert {event.type for event in again} >= FACTS
    assert facts <= {(event.type, event.id, event.subject) for event in again}
    assert {event.type for event in again} <= FACTS


async def test_what_waits_to_leave_is_not_put_there_twice(client: httpx.AsyncClient) -> None:
    await paid(client, 3)
    before = await outbox()
    await told_again()
    await told_again()
    assert await outbox() == before


async def test_held_money_that_went_back_never_paid_for_the_order(client: httpx.AsyncClient) -> None:
    one = await payment()
    await send(client, charge(one.reference, 1))
    await settle_all()
    await sent()
    async with sessions.begin() as session:
        await session.execute(update(Payment).values(status="refunded", refunded_amount=1))
    await told_again()
    assert [event.type for event in await sent()] == ["payment.refunded"]


async def test_page_by_page(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(republishing, "BATCH", 2)
    await paid(client, 5)
    before = await sent()
    assert await told_again() == [2, 2, 1]
    assert {event.id for event in await sent()} == {event.id for event in before}


async def test_only_of_the_time_that_is_asked_for(client: httpx.AsyncClient) -> None:
    await paid(client, 1)
    assert await told_again(since=-HOUR, until=-2 * HOUR) == []
    assert await told_again(since=2 * HOUR, until=HOUR) == []
    assert await told_again() == [1]


async def test_the_command(client: httpx.AsyncClient) -> None:
    await paid(client, 2)
    await sent()
    assert (await typed("republish", "--from", "1h", "--json")).json == {"events": 2}
    assert len(await sent()) == 2
    assert (await typed("republish", "--from", "30m", "--to", "1h")).code == 2


async def test_events_that_wait_for_a_person_are_given_another_try() -> None:
    async with sessions.begin() as session:
        session.add_all(
            Inbox(
                key=str(n),
                body=b"",
                status=status,
                attempts=12,
                processed_at=None if status == "failed" else func.now(),
            )
            for n, status in enumerate(["failed", "processed", "failed"])
        )
    assert (await typed("reprocess-events", "--json")).json == {"events": 2}
    unreachable = await typed("reprocess-events", PAYMENTS_DATABASE_URL="postgresql://x:y@127.0.0.1:9/z")
    assert unreachable.code == 1
    assert "the database cannot be used" in unreachable.err
