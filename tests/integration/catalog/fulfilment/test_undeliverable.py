"""Republishing `order.undeliverable`: the same facts under the same event ids."""

import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import delete, select

from services.catalog.db import sessions
from services.catalog.fulfilment import undeliverable
from services.catalog.models import OutboxRow
from tests.factories.catalog import Headers, create_order, create_product
from tests.factories.events import payment_succeeded
from tests.fixtures.catalog import handle_events, undeliverable_payments
from tests.fixtures.command_process import run_command

HOUR = timedelta(hours=1)


async def republish(since: timedelta = HOUR, until: timedelta = -HOUR) -> list[int]:
    """Republish the events from `since` ago to `until` ago, and return the size of each batch."""
    now = datetime.now(UTC)
    return [count async for count in undeliverable.republish(sessions, now - since, now - until)]


async def event_ids() -> set[str]:
    async with sessions() as session:
        return {str(event_id) for event_id in (await session.execute(select(OutboxRow.event_id))).scalars()}


async def empty_outbox() -> None:
    """Delete the events from the outbox, as the relay does when they are published."""
    async with sessions.begin() as session:
        await session.execute(delete(OutboxRow))


@pytest.fixture
async def five_undeliverable(client: httpx.AsyncClient, customer: Headers) -> list[tuple[str, str]]:
    """Pay for one order six times, and return what was published about five of the payments."""
    order_id = await create_order(client, customer, {await create_product(5): 1})
    await handle_events(payment_succeeded(order_id, "first"))
    for number in range(5):
        await handle_events(payment_succeeded(order_id, f"more-{number}"))
    return await undeliverable_payments()


async def test_republish_when_events_were_published_then_the_same_events_are_added_again(
    five_undeliverable: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(undeliverable, "BATCH", 2)
    before = await event_ids()
    assert await republish() == [0, 0, 0]  # they were still in the outbox
    assert await event_ids() == before
    await empty_outbox()
    assert await republish() == [2, 2, 1]
    assert await event_ids() == before
    assert sorted(await undeliverable_payments()) == sorted(five_undeliverable)


@pytest.mark.usefixtures("five_undeliverable")
async def test_republish_when_the_period_has_no_events_then_nothing_is_published() -> None:
    assert await republish(since=-HOUR, until=-2 * HOUR) == []
    assert await republish(since=2 * HOUR, until=HOUR) == []


@pytest.mark.usefixtures("five_undeliverable")
async def test_republish_command_when_run_then_it_prints_the_number_of_events() -> None:
    await empty_outbox()
    ended = await run_command("services.catalog", "republish", "--from", "1h", "--json")
    assert json.loads(ended.out) == {"events": 5}
    assert len(await undeliverable_payments()) == 5
