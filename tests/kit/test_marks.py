"""A queue that is lost with what it held: the relay finds out, whoever declared the queue anew, and has it told again."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.events import EVENT_ADAPTER, Event
from contracts.topology import Queue
from kit.messaging import outbox, queue_markers
from kit.messaging import relay as relay_module
from kit.messaging.broker import connect, declare_queue
from kit.messaging.notifier import Notifier
from kit.messaging.relay import Relay
from kit.worker.runner import job_failures
from tests.kit.conftest import Broker, Sessions, event
from tests.kit.tables import Outbox
from tests.kit.test_relay import left, put
from tests.loops import living, until


class Truth:
    """What has happened; tells it again a fact at a time, when it is asked, and may fail after some."""

    def __init__(self, sessions: Sessions, *facts: Event) -> None:
        self.sessions = sessions
        self.facts = list(facts)
        self.asked = 0
        self.fails_after: int | None = None

    async def republish(self, since: datetime, until: datetime) -> AsyncGenerator[int, None]:
        assert since == until - queue_markers.LOOK_BACK
        assert until > datetime.now(UTC), "the database's clock may be ahead: what it wrote down last is told too"
        self.asked += 1
        for number, fact in enumerate(self.facts):
            if number == self.fails_after:
                self.fails_after = None
                raise ConnectionError("in the middle")
            async with self.sessions.begin() as session:
                await outbox.add(session, Outbox, fact)
            yield 1

    def relay(self, engine: AsyncEngine, broker: Broker) -> Relay:
        return Relay(engine, Outbox, broker.url, [broker.queue], self.republish, Notifier(engine, "kit"))


def asked(truth: Truth, times: int) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        return truth.asked >= times

    return check


def marked(broker: Broker) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        return await queue_markers._is_marked(broker.connection, broker.queue)

    return check


def lost(broker: Broker) -> float:
    return float(queue_markers.queues_lost_total.labels(broker.queue.name)._value.get())


async def redeclare(broker: Broker) -> None:
    """As its consumer does."""
    async with connect(broker.url, "consumer") as connection:
        await declare_queue(await connection.channel(), broker.queue)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_module, "MARKER_CHECK_SECONDS", 0.05)
    monkeypatch.setattr(relay_module, "POLL_SECONDS", 0.05)


async def test_at_the_very_first_start_there_is_nothing_to_say(
    engine: AsyncEngine, sessions: Sessions, broker: Broker
) -> None:
    truth = Truth(sessions)
    async with living(truth.relay(engine, broker).run):
        await until(marked(broker))
    assert lost(broker) == 0


async def test_a_start_at_which_nothing_is_lost_tells_nothing_again(
    engine: AsyncEngine, sessions: Sessions, broker: Broker
) -> None:
    truth = Truth(sessions, event(1))
    for _ in range(3):
        async with living(truth.relay(engine, broker).run):
            await until(marked(broker))
            await put(sessions, event(2))
            await until(left(sessions))
    assert truth.asked == 1
    assert len(await broker.take(4)) == 4


async def test_a_queue_that_its_consumer_declared_anew(engine: AsyncEngine, sessions: Sessions, broker: Broker) -> None:
    facts = [event(number) for number in range(20)]
    truth = Truth(sessions)
    async with living(truth.relay(engine, broker).run):
        await put(sessions, *facts)
        await until(left(sessions))
    truth.facts += facts
    await broker.delete()
    await redeclare(broker)
    async with living(truth.relay(engine, broker).run):
        again = await broker.take(20)
    assert [EVENT_ADAPTER.validate_json(message.body) for message in again] == facts
    assert lost(broker) == 1


@pytest.mark.usefixtures("quick")
async def test_a_queue_that_is_deleted_and_declared_anew_while_we_relay(
    engine: AsyncEngine, sessions: Sessions, broker: Broker
) -> None:
    truth = Truth(sessions)
    async with living(truth.relay(engine, broker).run):
        await put(sessions, event(1))
        await until(left(sessions))
        truth.facts = [event(1)]
        await broker.delete()
        await redeclare(broker)  # so that no publish meets its absence
        (again,) = await broker.take(1)
    assert b"pay-1" in again.body


@pytest.mark.usefixtures("quick")
async def test_a_queue_that_is_missed_by_no_publish_because_another_takes_all(
    engine: AsyncEngine, sessions: Sessions, broker: Broker
) -> None:
    other = Queue(name=f"{broker.queue.name}.other", bindings=broker.queue.bindings)
    await declare_queue(broker.channel, other)
    try:
        truth = Truth(sessions)
        async with living(truth.relay(engine, broker).run):
            await until(marked(broker))
            truth.facts = [event(1)]
            await broker.delete()
            await put(sessions, *truth.facts)
            await broker.take(1, other.name)
            await until(marked(broker))
            (again,) = await broker.take(1)
    finally:
        for name in (other.name, other.dead_letters):
            await broker.channel.queue_delete(name)
    assert b"pay-1" in again.body


async def test_a_crash_in_the_middle_of_telling_again(engine: AsyncEngine, sessions: Sessions, broker: Broker) -> None:
    truth = Truth(sessions, *(event(number) for number in range(5)))
    truth.fails_after = 3
    failures = job_failures.labels("0")._value.get()
    async with living(truth.relay(engine, broker).run):
        await until(asked(truth, 1))
        messages = await broker.take(5)
        await until(left(sessions))
    assert job_failures.labels("0")._value.get() > failures
    assert truth.asked == 2
    assert sorted(message.message_id or "" for message in messages) == sorted(str(fact.id) for fact in truth.facts)


async def test_a_stop_in_the_middle_of_telling_again(engine: AsyncEngine, sessions: Sessions, broker: Broker) -> None:
    truth = Truth(sessions, *(event(number) for number in range(5)))
    relay = truth.relay(engine, broker)
    async with living(relay.run) as shutdown:
        tell = truth.republish

        async def ends(since: datetime, until_: datetime) -> AsyncGenerator[int, None]:
            async for count in tell(since, until_):
                shutdown.request()
                yield count

        relay.republish = ends
        await shutdown.wait_requested()
    assert not await marked(broker)()
    assert await left(sessions, 1)()
    async with living(truth.relay(engine, broker).run):
        assert len(await broker.take(5)) == 5


async def test_a_queue_that_is_deleted_between_the_look_and_the_binding(
    engine: AsyncEngine, sessions: Sessions, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth = Truth(sessions)
    async with living(truth.relay(engine, broker).run):
        await until(marked(broker))
    truth.facts = [event(1)]
    deletes = iter([broker.delete])

    async def declare(*args: object) -> object:
        for delete in deletes:
            await delete()
        return await declare_queue(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(queue_markers, "declare_queue", declare)
    async with living(truth.relay(engine, broker).run):
        await until(asked(truth, 2))
        await until(marked(broker))
        (again,) = await broker.take(1)
    assert b"pay-1" in again.body


async def test_two_relays_tell_again_once(engine: AsyncEngine, sessions: Sessions, broker: Broker) -> None:
    truth = Truth(sessions, event(1))
    async with living(truth.relay(engine, broker).run, truth.relay(engine, broker).run):
        await broker.take(1)
        await until(left(sessions))
    assert truth.asked == 1


async def test_each_queue_has_its_own_mark(
    engine: AsyncEngine, sessions: Sessions, broker: Broker, notifier: Notifier
) -> None:
    other = Queue(name=f"{broker.queue.name}.other", bindings=("order.*",))
    truth = Truth(sessions)
    both = Relay(
        engine, Outbox, SecretStr(broker.url.get_secret_value()), [broker.queue, other], truth.republish, notifier
    )
    async with living(both.run):
        await until(marked(broker))
    truth.facts = [event(1)]
    await broker.delete()
    async with living(both.run):
        await until(asked(truth, 2))
        await until(marked(broker))
        await broker.take(1)
    assert queue_markers.queues_lost_total.labels(other.name)._value.get() == 0
    for name in (other.name, other.dead_letters):
        await broker.channel.queue_delete(name)
