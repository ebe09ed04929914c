"""The relay notices that a queue was lost with its events, even if the consumer declared it again, and publishes the events again."""

import asyncio

import pytest
from aio_pika.abc import AbstractConnection
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.events import EVENT_ADAPTER
from contracts.topology import Queue
from kit.messaging import queue_markers
from kit.messaging import relay as relay_module
from kit.messaging.broker import connect, declare_queue, exists
from kit.messaging.notifier import Notifier
from kit.messaging.relay import Relay
from tests.fixtures.kit_messaging import Broker, Sessions, left, make_event, put
from tests.fixtures.kit_relay import History, lost, marked, republished
from tests.fixtures.kit_tables import Outbox
from tests.fixtures.loops import living, until


async def redeclare(broker: Broker) -> None:
    """Declare the queue as its consumer does."""
    async with connect(broker.url, "consumer") as connection:
        await declare_queue(connection, await connection.channel(), broker.queue)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_module, "MARKER_CHECK_SECONDS", 0.05)
    monkeypatch.setattr(relay_module, "POLL_SECONDS", 0.05)


async def test_the_first_start_counts_no_loss(engine: AsyncEngine, sessions: Sessions, broker: Broker) -> None:
    history = History(sessions)
    async with living(history.relay(engine, broker).run):
        await until(marked(broker))
    assert lost(broker) == 0


async def test_a_restart_with_intact_queues_republishes_nothing(
    engine: AsyncEngine, sessions: Sessions, broker: Broker
) -> None:
    history = History(sessions, make_event(1))
    for _ in range(3):
        async with living(history.relay(engine, broker).run):
            await until(marked(broker))
            await put(sessions, make_event(2))
            await until(left(sessions))
    assert history.calls == 1
    assert len(await broker.take(4)) == 4


async def test_events_are_republished_when_the_consumer_declared_a_deleted_queue_again(
    engine: AsyncEngine, sessions: Sessions, broker: Broker
) -> None:
    events = [make_event(number) for number in range(20)]
    history = History(sessions)
    async with living(history.relay(engine, broker).run):
        await put(sessions, *events)
        await until(left(sessions))
    history.events += events
    await broker.delete()
    await redeclare(broker)
    async with living(history.relay(engine, broker).run):
        again = await broker.take(20)
    assert [EVENT_ADAPTER.validate_json(message.body) for message in again] == events
    assert lost(broker) == 1


@pytest.mark.usefixtures("quick")
async def test_events_are_republished_when_a_queue_is_replaced_while_the_relay_runs(
    engine: AsyncEngine, sessions: Sessions, broker: Broker
) -> None:
    history = History(sessions)
    async with living(history.relay(engine, broker).run):
        await put(sessions, make_event(1))
        await until(left(sessions))
        history.events = [make_event(1)]
        await broker.delete()
        await redeclare(broker)  # before an event is published without it
        (again,) = await broker.take(1)
    assert b"pay-1" in again.body


@pytest.mark.usefixtures("quick")
async def test_a_deleted_queue_is_noticed_even_if_another_queue_takes_all_events(
    engine: AsyncEngine, sessions: Sessions, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Queue(name=f"{broker.queue.name}.other", bindings=broker.queue.bindings)
    await declare_queue(broker.connection, broker.channel, other)
    try:
        history = History(sessions)
        async with living(history.relay(engine, broker).run):
            await until(marked(broker))
            monkeypatch.setattr(relay_module, "MARKER_CHECK_SECONDS", 3600)
            await put(sessions, make_event(0))
            for name in (broker.queue.name, other.name):
                await broker.take(1, name)  # published, so the last check of the markers has ended
            history.events = [make_event(1)]
            await broker.delete()
            await put(sessions, *history.events)
            await broker.take(1, other.name)
            monkeypatch.setattr(relay_module, "MARKER_CHECK_SECONDS", 0.05)
            await broker.declare()
            await until(marked(broker))
            (again,) = await broker.take(1)
    finally:
        for name in (other.name, other.dead_letters):
            await broker.channel.queue_delete(name)
    assert b"pay-1" in again.body


async def test_a_queue_that_is_deleted_between_the_check_and_the_binding_is_noticed(
    engine: AsyncEngine, sessions: Sessions, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = History(sessions)
    async with living(history.relay(engine, broker).run):
        await until(marked(broker))
    history.events = [make_event(1)]
    deleted = asyncio.Event()

    async def find_and_delete(connection: AbstractConnection, **name: str) -> bool:
        found = await exists(connection, **name)
        if name == {"exchange": broker.queue.marker} and not deleted.is_set():
            await broker.delete()
            deleted.set()
        return found

    monkeypatch.setattr(queue_markers, "exists", find_and_delete)
    async with living(history.relay(engine, broker).run):
        await deleted.wait()
        await broker.declare()
        await until(republished(history, 2))
        await until(marked(broker))
        (again,) = await broker.take(1)
    assert b"pay-1" in again.body


async def test_each_queue_has_its_own_marker(
    engine: AsyncEngine, sessions: Sessions, broker: Broker, notifier: Notifier
) -> None:
    other = Queue(name=f"{broker.queue.name}.other", bindings=("order.*",))
    await declare_queue(broker.connection, broker.channel, other)
    history = History(sessions)
    both = Relay(
        engine, Outbox, SecretStr(broker.url.get_secret_value()), [broker.queue, other], history.republish, notifier
    )
    async with living(both.run):
        await until(marked(broker))
    history.events = [make_event(1)]
    await broker.delete()
    await broker.declare()
    async with living(both.run):
        await until(republished(history, 2))
        await until(marked(broker))
        await broker.take(1)
    assert queue_markers.queues_lost_total.labels(other.name)._value.get() == 0
    for name in (other.name, other.dead_letters):
        await broker.channel.queue_delete(name)
