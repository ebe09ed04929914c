"""The relay on a real broker: events are published in order, confirmed, and deleted from the outbox."""

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.events import CONTENT_TYPE, EVENT_ADAPTER, OrderUndeliverable, OrderUndeliverableData
from contracts.reasons import UndeliverableReason
from kit.messaging import outbox
from kit.messaging import relay as relay_module
from kit.messaging.notifier import Notifier
from tests.fixtures.kit_messaging import Broker, Sessions, left, make_event, put
from tests.fixtures.kit_relay import relay
from tests.fixtures.kit_tables import Outbox
from tests.fixtures.loops import living, until


def undeliverable() -> OrderUndeliverable:
    """Return an event that no queue of these tests takes."""
    one = make_event()
    data = OrderUndeliverableData(
        reference="pay-1", order_id=one.data.order_id, amount=1, currency="NGN", reason=UndeliverableReason.CANCELLED
    )
    return OrderUndeliverable(subject=one.subject, data=data)


async def test_events_are_published_in_order_and_once(
    engine: AsyncEngine, sessions: Sessions, broker: Broker, notifier: Notifier
) -> None:
    events = [make_event(number) for number in range(350)]
    await put(sessions, *events)
    async with living(relay(engine, broker, notifier).run):
        messages = await broker.take(350)
        await until(left(sessions))
    assert [EVENT_ADAPTER.validate_json(message.body) for message in messages] == events
    first = messages[0]
    assert first.delivery_mode == 2
    assert (first.content_type, first.type, first.message_id) == (CONTENT_TYPE, events[0].type, str(events[0].id))


async def test_a_notification_wakes_the_relay(
    engine: AsyncEngine, sessions: Sessions, broker: Broker, notifier: Notifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "POLL_SECONDS", 60)
    one = relay(engine, broker, notifier)
    async with living(one.run):
        for number in range(5):
            await put(sessions, make_event(number))
            notifier.wake_local("outbox")
            await broker.take(1)
        await until(left(sessions))


async def test_an_event_that_was_rolled_back_is_not_published(
    engine: AsyncEngine, sessions: Sessions, broker: Broker, notifier: Notifier
) -> None:
    async with sessions() as session:
        await outbox.add(session, Outbox, make_event(1))
        await session.rollback()
    await put(sessions, make_event(2))
    async with living(relay(engine, broker, notifier).run):
        (message,) = await broker.take(1)
    assert b"pay-2" in message.body


async def test_an_event_that_no_queue_takes_is_kept_and_the_others_are_published(
    engine: AsyncEngine, sessions: Sessions, broker: Broker, notifier: Notifier
) -> None:
    await put(sessions, make_event(1), undeliverable(), make_event(2))
    async with living(relay(engine, broker, notifier).run):
        await broker.take(2)
        await until(left(sessions, 1))
        await put(sessions, make_event(3))
        await broker.take(1)
        await until(left(sessions, 1))
    async with sessions() as session:
        kept = (await session.execute(select(Outbox))).scalar_one()
    assert (kept.type, kept.error) == ("order.undeliverable", "no queue accepted the event")
    assert kept.attempts >= 1


async def test_backlog_counts_events_and_the_age_of_the_oldest(
    engine: AsyncEngine, sessions: Sessions, broker: Broker
) -> None:
    await put(sessions, make_event(1), make_event(2))
    async with sessions() as session:
        count, age = await outbox.backlog(session, Outbox)
    assert count == 2
    assert 0 <= age < 60
