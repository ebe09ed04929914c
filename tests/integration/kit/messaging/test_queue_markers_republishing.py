"""The events of a lost queue are published again once: after an interruption, with several relays, and with backoff."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from datetime import datetime

import pytest
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncEngine

from kit.messaging import queue_markers
from kit.worker.backoff import Backoff
from kit.worker.runner import job_failures
from kit.worker.shutdown import Shutdown
from tests.fixtures.kit_messaging import Broker, Sessions, left, make_event
from tests.fixtures.kit_relay import History, lost, marked, republished
from tests.fixtures.kit_tables import Outbox
from tests.fixtures.loops import living, until


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


async def test_two_relays_republish_once(engine: AsyncEngine, sessions: Sessions, broker: Broker) -> None:
    history = History(sessions, make_event(1))
    async with living(history.relay(engine, broker).run, history.relay(engine, broker).run):
        await broker.take(1)
        await until(left(sessions))
    assert history.calls == 1


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
