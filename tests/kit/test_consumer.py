"""The consumer against a real broker and a real database: taken once, held while it must be, never lost."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import pytest
from pydantic import SecretStr, TypeAdapter
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.events import PaymentSucceeded
from dev.servers.postgres import Postgres
from kit.cli.reprocess import reprocess
from kit.db.engine import create_engine, create_sessionmaker
from kit.messaging import processor
from kit.messaging.broker import connect
from kit.messaging.consumer import Consumer
from kit.messaging.notifier import Notifier
from kit.messaging.processor import Processor
from kit.worker.backoff import Backoff
from kit.worker.runner import job_failures
from tests.kit.conftest import Broker, Sessions, event
from tests.kit.tables import Effect, Inbox
from tests.loops import living, until
from tests.proxy import Proxy

MakeConsumer = Callable[..., Consumer[PaymentSucceeded]]
EVENTS: TypeAdapter[PaymentSucceeded] = TypeAdapter(PaymentSucceeded)


def body(number: int = 0, **changes: Any) -> bytes:
    return json.dumps({**event(number).model_dump(mode="json"), **changes}).encode()


class Works:
    """A handler that fails while it is told to: all of it, or of one reference."""

    def __init__(self) -> None:
        self.fails = False
        self.poison = ""

    async def __call__(self, session: AsyncSession, events: Sequence[PaymentSucceeded]) -> None:
        for one in events:
            await session.execute(insert(Effect).values(of=one.data.reference))
        if self.fails:
            raise RuntimeError("not now")
        if self.poison in {one.data.reference for one in events}:
            raise ValueError("never of this one")


@pytest.fixture
def handler() -> Works:
    return Works()


@pytest.fixture
def consumer(sessions: Sessions, broker: Broker, handler: Works, notifier: Notifier) -> MakeConsumer:
    def make(url: str = "", sessions: Sessions = sessions) -> Consumer[PaymentSucceeded]:
        target = SecretStr(url) if url else broker.url
        return Consumer(sessions, Inbox, target, broker.queue, EVENTS, handler, notifier)

    return make


def taken(sessions: Sessions, count: int) -> Callable[[], Awaitable[bool]]:
    """Whether so many events had their effect."""

    async def check() -> bool:
        async with sessions() as session:
            return (await session.execute(select(func.count()).select_from(Effect))).scalar_one() == count

    return check


async def references(sessions: Sessions) -> list[str]:
    async with sessions() as session:
        return list((await session.execute(select(Effect.of))).scalars())


async def waiting(broker: Broker, name: str = "") -> int:
    """Messages that lie ready in the queue."""
    channel = await broker.connection.channel()
    found = await channel.declare_queue(name or broker.queue.name, passive=True)
    await channel.close()
    return found.declaration_result.message_count or 0


async def test_every_event_takes_effect_once(
    sessions: Sessions, broker: Broker, handler: Works, consumer: MakeConsumer
) -> None:
    async with living(consumer().run):
        await broker.publish(*(body(number) for number in range(500)))
        await until(taken(sessions, 500))
    assert sorted(await references(sessions)) == sorted(f"pay-{number}" for number in range(500))
    assert await waiting(broker) == 0


async def test_a_thousand_times_the_same_from_ten_connections(
    sessions: Sessions, broker: Broker, handler: Works, consumer: MakeConsumer
) -> None:
    same = body(1)

    async def publish(times: int) -> None:
        async with connect(broker.url, "another") as connection:
            await Broker(broker.url.get_secret_value(), connection, await connection.channel()).publish(*[same] * times)

    async with living(consumer().run, consumer().run):
        await asyncio.gather(*(publish(100) for _ in range(10)))
        await broker.publish(body(2))
        await until(taken(sessions, 2))

        async def all_taken() -> bool:
            return await waiting(broker) == 0

        await until(all_taken)
    assert sorted(await references(sessions)) == ["pay-1", "pay-2"]
    assert await waiting(broker) == 0


UNREADABLE = [
    b"",
    b"{",
    b"null",
    b"\xff\xfe",
    b"[" * 100_000,
    b"{" * 10_000_000,
    b'{"type":"payment.succeeded"}',
    body(id="not a uuid"),
    body(type="payment.invented"),
    body(specversion="2.0"),
    body(data=None),
    body(time="yesterday"),
    body(subject="s" * 1000),
]


async def test_what_cannot_be_read_goes_to_the_dead_letters(
    sessions: Sessions, broker: Broker, handler: Works, consumer: MakeConsumer
) -> None:
    async with living(consumer().run):
        await broker.publish(body(1), *UNREADABLE, body(2))
        dead = await broker.take(len(UNREADABLE), broker.queue.dead_letters)
        await until(taken(sessions, 2))
    assert sorted(message.body for message in dead) == sorted(UNREADABLE)


@pytest.mark.parametrize("odd", ["\x00", "a\x00b", "é" * 55, "00-zz-01", ""])
async def test_an_odd_trace_is_no_poison(
    sessions: Sessions, broker: Broker, handler: Works, odd: str, consumer: MakeConsumer
) -> None:
    async with living(consumer().run):
        await broker.publish(body(1, traceparent=odd), body(2))
        await until(taken(sessions, 2), 5)


async def test_unknown_fields_are_no_obstacle(
    sessions: Sessions, broker: Broker, handler: Works, consumer: MakeConsumer
) -> None:
    async with living(consumer().run):
        await broker.publish(body(1, comexampleextension=1, sequence="7"))
        await until(taken(sessions, 1))


async def test_a_queue_that_is_deleted_is_declared_again(
    sessions: Sessions, broker: Broker, handler: Works, consumer: MakeConsumer
) -> None:
    one = consumer()
    async with living(one.run):
        await broker.publish(body(1))
        await until(taken(sessions, 1))
        assert await one.check() is None
        await broker.delete()
        await until(broker.is_consumed)
        await broker.publish(body(2))
        await until(taken(sessions, 2))
    assert await one.check() == f"not consuming {broker.queue.name}"


async def test_a_connection_that_is_cut(
    sessions: Sessions, broker: Broker, handler: Works, rabbitmq: str, consumer: MakeConsumer
) -> None:
    async with Proxy(rabbitmq) as proxy, living(consumer(proxy.url).run):
        for number in range(3):
            await broker.publish(*(body(100 * number + each) for each in range(100)))
            proxy.cut()
            await until(taken(sessions, 100 * (number + 1)))
    assert len(set(await references(sessions))) == 300


@pytest.fixture
async def shaky(postgres: Postgres, sessions: Sessions) -> AsyncIterator[tuple[Proxy, Sessions]]:
    """Sessions through a proxy."""
    async with Proxy(postgres.url("kit")) as proxy:
        engine = create_engine(SecretStr(proxy.url), name="kit")
        yield proxy, create_sessionmaker(engine)
        proxy.refuse()
        await engine.dispose()


async def test_a_database_that_is_away_costs_no_delivery(
    sessions: Sessions, broker: Broker, handler: Works, shaky: tuple[Proxy, Sessions], consumer: MakeConsumer
) -> None:
    proxy, through = shaky
    failures = job_failures.labels("0")._value.get()
    async with living(consumer(sessions=through).run):
        await broker.publish(body(0))
        await until(taken(sessions, 1))
        proxy.refuse()
        await broker.publish(*(body(number) for number in range(1, 51)))

        async def held() -> bool:
            return await waiting(broker) == 0

        await until(held)
        # Longer than it takes to try again: the messages stay with the consumer, which stays up.
        await asyncio.sleep(1.2)
        assert await waiting(broker) == 0
        assert await taken(sessions, 1)()
        proxy.flow()
        await until(taken(sessions, 51))
    assert job_failures.labels("0")._value.get() == failures
    assert await waiting(broker) == 0
    assert await waiting(broker, broker.queue.dead_letters) == 0


async def test_a_stop_while_the_database_is_away_gives_the_messages_back(
    sessions: Sessions, broker: Broker, handler: Works, shaky: tuple[Proxy, Sessions], consumer: MakeConsumer
) -> None:
    proxy, through = shaky
    async with living(consumer(sessions=through).run):
        await broker.publish(body(0))
        await until(taken(sessions, 1))
        proxy.refuse()
        await broker.publish(*(body(number) for number in range(1, 11)))

        async def held() -> bool:
            return await waiting(broker) == 0

        await until(held)

    async def given_back() -> bool:
        return await waiting(broker) == 10

    await until(given_back)
    async with living(consumer().run):
        await until(taken(sessions, 11))


async def test_what_fails_is_tried_again_from_the_inbox(
    sessions: Sessions, broker: Broker, handler: Works, consumer: MakeConsumer, notifier: Notifier
) -> None:
    handler.fails = True
    one = consumer()
    retrier = Processor(sessions, Inbox, one.handle_entries, notifier, topic="inbox")

    async def waits() -> bool:
        async with sessions() as session:
            found = (await session.execute(select(Inbox.status, Inbox.attempts))).all()
            return [tuple(each) for each in found] == [("pending", 1)] * 3

    async with living(one.run, retrier.run):
        await broker.publish(*(body(number) for number in range(3)))
        await until(waits)
        assert await references(sessions) == []
        assert await waiting(broker) == 0
        handler.fails = False
        async with sessions.begin() as session:
            await session.execute(update(Inbox).values(next_attempt_at=text("now()")))
        notifier.wake("inbox")
        await until(taken(sessions, 3))


async def test_a_handler_that_always_raises_holds_up_nobody_and_is_replayed_when_it_is_mended(
    sessions: Sessions,
    broker: Broker,
    handler: Works,
    monkeypatch: pytest.MonkeyPatch,
    consumer: MakeConsumer,
    notifier: Notifier,
) -> None:
    monkeypatch.setattr(processor, "BACKOFF", Backoff(first=0.001, longest=0.01))
    monkeypatch.setattr(processor, "POLL_SECONDS", 0.01)
    handler.poison = "pay-13"
    one = consumer()
    retrier = Processor(sessions, Inbox, one.handle_entries, notifier, topic="inbox")

    async def given_up() -> bool:
        async with sessions() as session:
            found = (await session.execute(select(Inbox.attempts, Inbox.error).where(Inbox.status == "failed"))).all()
        return [(attempts, "never of this one" in (error or "")) for attempts, error in found] == [
            (processor.ATTEMPTS, True)
        ]

    async with living(one.run, retrier.run):
        await broker.publish(*(body(number) for number in range(30)))
        await until(taken(sessions, 29))
        await until(given_up)
        await broker.publish(body(30))
        await until(taken(sessions, 30))
        assert await one.check() is None
        handler.poison = ""
        async with sessions.begin() as session:
            assert await reprocess(session, Inbox) == 1
        await until(taken(sessions, 31))
    assert sorted(await references(sessions)) == sorted(f"pay-{number}" for number in range(31))
    assert await waiting(broker, broker.queue.dead_letters) == 0


async def test_a_stop_in_the_middle_loses_nothing(
    sessions: Sessions, broker: Broker, handler: Works, consumer: MakeConsumer
) -> None:
    await broker.publish(*(body(number) for number in range(600)))
    for _ in range(4):
        async with living(consumer().run):
            await asyncio.sleep(0.1)
    async with living(consumer().run):
        await until(taken(sessions, 600))
    assert len(set(await references(sessions))) == 600
    assert await waiting(broker) == 0


async def test_two_consumers_share_a_queue(
    sessions: Sessions, broker: Broker, handler: Works, consumer: MakeConsumer
) -> None:
    async with living(consumer().run, consumer().run):
        bodies = [body(number) for number in range(300)]
        await broker.publish(*bodies, *bodies)
        await until(taken(sessions, 300))
    assert len(set(await references(sessions))) == 300
