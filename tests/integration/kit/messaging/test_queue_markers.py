"""The relay notices that a queue was lost with its events, even if the consumer declared it again, and publishes the events again."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import UTC, datetime

import pytest
from aio_pika.abc import AbstractConnection
from pydantic import SecretStr
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.events import EVENT_ADAPTER, Event
from contracts.topology import Queue
from kit.messaging import outbox, queue_markers
from kit.messaging import relay as relay_module
from kit.messaging.broker import connect, declare_queue, exists
from kit.messaging.notifier import Notifier
from kit.messaging.relay import Relay
from kit.worker.backoff import Backoff
from kit.worker.runner import job_failures
from kit.worker.shutdown import Shutdown
from tests.fixtures.kit_messaging import Broker, Sessions, left, make_event, put
from tests.fixtures.kit_tables import Outbox
from tests.fixtures.loops import living, until


class History:
    """The past events of a service. Republishes one event per batch, and may fail after some."""

    def __init__(self, sessions: Sessions, *events: Event) -> None:
        self.sessions = sessions
        self.events = list(events)
        self.calls = 0
        self.fails_after: int | None = None

    async def republish(self, since: datetime, until: datetime) -> AsyncGenerator[int, None]:
        assert since == until - queue_markers.LOOK_BACK
        assert until > datetime.now(UTC), "the clock of the database may be ahead of ours"
        self.calls += 1
        for number, past in enumerate(self.events):
            if number == self.fails_after:
                self.fails_after = None
                raise ConnectionError("interrupted")
            async with self.sessions.begin() as session:
                added = await outbox.add(session, Outbox, past)
            yield added

    def relay(self, engine: AsyncEngine, broker: Broker) -> Relay:
        return Relay(engine, Outbox, broker.url, [broker.queue], self.republish, Notifier(engine, "kit"))


def republished(history: History, times: int) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        return history.calls >= times

    return check


def marked(broker: Broker) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        return await exists(broker.connection, exchange=broker.queue.marker)

    return check


def lost(broker: Broker) -> float:
    return float(queue_markers.queues_lost_total.labels(broker.queue.name)._value.get())


async def redeclare(broker: Broker) -> None:
    """Declare the queue as its consumer does."""
    async with connect(broker.url, "consumer") as connection:
        await declare_queue(connection, await connection.channel(), broker.queue)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_module, "MARKER_CHECK_SECONDS", 0.05)
    monkeypatch.setattr(relay_module, "POLL_SECONDS", 0.05)


async def test_the_first_start_republishes_nothing(engine: AsyncEngine, sessions: Sessions, broker: Broker) -> None:
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
            history.events = [make_event(1)]
            await broker.delete()
            monkeypatch.setattr(relay_module, "MARKER_CHECK_SECONDS", 3600)
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


async def test_republishing_starts_again_after_a_crash(engine: AsyncEngine, sessions: Sessions, broker: Broker) -> None:
    history = History(sessions, *(make_event(number) for number in range(5)))
    history.fails_after = 3
    failures = job_failures.labels("0")._value.get()
    async with living(history.relay(engine, broker).run):
        await until(republished(history, 1))
        messages = await broker.take(5)
        await until(left(sessions))
    assert job_failures.labels("0")._value.get() > failures
    assert history.calls == 2
    assert sorted(message.message_id or "" for message in messages) == sorted(str(event.id) for event in history.events)


async def test_republishing_starts_again_after_a_shutdown(
    engine: AsyncEngine, sessions: Sessions, broker: Broker
) -> None:
    history = History(sessions, *(make_event(number) for number in range(5)))
    relay = history.relay(engine, broker)
    async with living(relay.run) as shutdown:
        republish = history.republish

        async def interrupted(since: datetime, until_: datetime) -> AsyncGenerator[int, None]:
            async for count in republish(since, until_):
                shutdown.request()
                yield count

        relay.markers.republish = interrupted
        await shutdown.wait_requested()
    assert not await marked(broker)()
    assert await left(sessions, 1)()
    async with living(history.relay(engine, broker).run):
        assert len(await broker.take(5)) == 5


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


async def test_two_relays_republish_once(engine: AsyncEngine, sessions: Sessions, broker: Broker) -> None:
    history = History(sessions, make_event(1))
    async with living(history.relay(engine, broker).run, history.relay(engine, broker).run):
        await broker.take(1)
        await until(left(sessions))
    assert history.calls == 1


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


class RecordedPauses(Shutdown):
    """Does not wait, and records how long it should have waited."""

    def __init__(self) -> None:
        super().__init__()
        self.pauses: list[float] = []

    async def wait(self, seconds: float, wakeup: asyncio.Event | None = None) -> None:
        self.pauses.append(seconds)


async def test_a_loss_is_counted_once_and_republished_with_backoff(
    sessions: Sessions, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_markers, "BACKOFF", Backoff(first=1.0, longest=60.0, jitter=0.0))
    history = History(sessions, *(make_event(number) for number in range(5)))
    markers, shutdown = queue_markers.QueueMarkers([broker.queue], history.republish), RecordedPauses()
    before = queue_markers.republished_total._value.get()
    for fails_after in (3, 3, 4, None):
        history.fails_after = fails_after
        with contextlib.suppress(ConnectionError):
            await markers.restore(shutdown, broker.connection, broker.channel)
    assert await marked(broker)()
    assert shutdown.pauses == [1, 2, 4]
    assert lost(broker) == 1
    assert queue_markers.republished_total._value.get() - before == 5
    await markers.restore(shutdown, broker.connection, broker.channel)
    assert history.calls == 4
    await broker.delete()
    await broker.declare()
    async with sessions.begin() as session:
        await session.execute(delete(Outbox))
    await markers.restore(shutdown, broker.connection, broker.channel)
    assert (shutdown.pauses, lost(broker)) == ([1, 2, 4, 8], 2)


async def test_a_queue_that_its_consumer_has_not_declared_is_not_republished_again_and_again(
    engine: AsyncEngine, sessions: Sessions, broker: Broker
) -> None:
    history = History(sessions)
    async with living(history.relay(engine, broker).run):
        await until(marked(broker))
    history.events = [make_event(1)]
    await broker.delete()
    failures = job_failures.labels("0")._value.get()
    markers = queue_markers.QueueMarkers([broker.queue], history.republish)
    async with living(history.relay(engine, broker).run):
        for _ in range(20):
            assert not await markers.are_queues_declared(broker.connection)
        await broker.declare()
        await until(marked(broker))
        await broker.take(1)
    assert (history.calls, lost(broker)) == (2, 1)
    assert job_failures.labels("0")._value.get() == failures
