"""The consumer on a real broker and a real database: every event takes effect once, and none is lost."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, ClassVar, Self
from uuid import UUID

import pytest
import structlog
from aio_pika import Message
from aio_pika.exceptions import ChannelNotFoundEntity, DeliveryError
from pydantic import SecretStr, TypeAdapter, model_validator
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.events import PaymentSucceeded
from contracts.topology import EXCHANGE
from dev.servers.postgres import Postgres
from kit.cli.reprocess import reprocess
from kit.db.engine import create_engine, create_sessionmaker
from kit.messaging import consumer as consumer_module
from kit.messaging import outbox, processor
from kit.messaging.broker import connect
from kit.messaging.consumer import Consumer
from kit.messaging.notifier import Notifier
from kit.messaging.processor import Processor
from kit.observability.tracing import continue_trace, new_traceparent
from kit.worker.backoff import Backoff
from kit.worker.runner import job_failures
from tests.fixtures.kit_messaging import Broker, Sessions, make_event
from tests.fixtures.kit_tables import Audit, Effect, Inbox, Outbox
from tests.fixtures.loops import living, until
from tests.fixtures.proxy import Proxy

MakeConsumer = Callable[..., Consumer[PaymentSucceeded]]
EVENTS: TypeAdapter[PaymentSucceeded] = TypeAdapter(PaymentSucceeded)


def body(number: int = 0, **changes: Any) -> bytes:
    return json.dumps({**make_event(number).model_dump(mode="json"), **changes}).encode()


class Handler:
    """Writes an effect for each event. Fails for all events or for one reference, or holds one reference, as the test orders."""

    def __init__(self) -> None:
        self.fails = False
        self.poison = ""
        self.contradiction = ""

    async def __call__(self, session: AsyncSession, events: Sequence[PaymentSucceeded]) -> dict[UUID, str]:
        for one in events:
            await session.execute(insert(Effect).values(of=one.data.reference))
        if self.fails:
            raise RuntimeError("temporary failure")
        if self.poison in {one.data.reference for one in events}:
            raise ValueError("this one always fails")
        return {one.id: "contradicts" for one in events if one.data.reference == self.contradiction}


@pytest.fixture
def handler() -> Handler:
    return Handler()


@pytest.fixture
def consumer(sessions: Sessions, broker: Broker, handler: Handler, notifier: Notifier) -> MakeConsumer:
    def make(url: str = "", sessions: Sessions = sessions) -> Consumer[PaymentSucceeded]:
        target = SecretStr(url) if url else broker.url
        return Consumer(sessions, Inbox, target, broker.queue, EVENTS, handler, notifier)

    return make


def taken(sessions: Sessions, count: int) -> Callable[[], Awaitable[bool]]:
    """Return a condition: `count` events took effect."""

    async def check() -> bool:
        async with sessions() as session:
            return (await session.execute(select(func.count()).select_from(Effect))).scalar_one() == count

    return check


async def references(sessions: Sessions) -> list[str]:
    async with sessions() as session:
        return list((await session.execute(select(Effect.of))).scalars())


async def ready(broker: Broker, name: str = "") -> int:
    """Return the number of messages that are ready in the queue."""
    channel = await broker.connection.channel()
    found = await channel.declare_queue(name or broker.queue.name, passive=True)
    await channel.close()
    return found.declaration_result.message_count or 0


async def test_every_event_takes_effect_once(
    sessions: Sessions, broker: Broker, handler: Handler, consumer: MakeConsumer
) -> None:
    async with living(consumer().run):
        await broker.publish(*(body(number) for number in range(500)))
        await until(taken(sessions, 500))
    assert sorted(await references(sessions)) == sorted(f"pay-{number}" for number in range(500))
    assert await ready(broker) == 0


async def test_an_event_published_a_thousand_times_takes_effect_once(
    sessions: Sessions, broker: Broker, handler: Handler, consumer: MakeConsumer
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
            return await ready(broker) == 0

        await until(all_taken)
    assert sorted(await references(sessions)) == ["pay-1", "pay-2"]
    assert await ready(broker) == 0


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
    body(subject="8b9c3f3e-5f0a-4a44-9d3e-1d9c6c1c2c11"),
    *(
        body().replace(b'"pay-0"', f'"pay{escaped}"'.encode())
        for escaped in ("\\u0000", "\\ud800", "\\udfff", "\\udfff\\ud800")
    ),
]


async def test_unreadable_messages_go_to_the_dead_letters(
    sessions: Sessions, broker: Broker, handler: Handler, consumer: MakeConsumer
) -> None:
    async with living(consumer().run):
        await broker.publish(body(1), *UNREADABLE, body(2))
        dead = await broker.take(len(UNREADABLE), broker.queue.dead_letters)
        await until(taken(sessions, 2))
    assert sorted(message.body for message in dead) == sorted(UNREADABLE)


@pytest.mark.parametrize("odd", ["\x00", "a\x00b", "é" * 55, "00-zz-01", ""])
async def test_an_event_with_an_invalid_traceparent_is_processed(
    sessions: Sessions, broker: Broker, handler: Handler, odd: str, consumer: MakeConsumer
) -> None:
    async with living(consumer().run):
        await broker.publish(body(1, traceparent=odd), body(2))
        await until(taken(sessions, 2), 5)


async def test_an_event_with_unknown_fields_is_processed(
    sessions: Sessions, broker: Broker, handler: Handler, consumer: MakeConsumer
) -> None:
    async with living(consumer().run):
        await broker.publish(body(1, comexampleextension=1, sequence="7"))
        await until(taken(sessions, 1))


async def test_a_deleted_queue_is_declared_again(
    sessions: Sessions, broker: Broker, handler: Handler, consumer: MakeConsumer
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


@pytest.mark.parametrize("lost", ["binding", "exchange"])
async def test_a_lost_binding_is_created_again(
    sessions: Sessions,
    broker: Broker,
    handler: Handler,
    monkeypatch: pytest.MonkeyPatch,
    consumer: MakeConsumer,
    lost: str,
) -> None:
    monkeypatch.setattr(consumer_module, "BINDING_CHECK_SECONDS", 0.05)
    async with living(consumer().run):
        await broker.publish(body(1))
        await until(taken(sessions, 1))
        if lost == "binding":
            queue = await broker.channel.get_queue(broker.queue.name)
            await queue.unbind(EXCHANGE, broker.queue.bindings[0])
        else:
            await broker.channel.exchange_delete(EXCHANGE)

        async def published() -> bool:
            async with connect(broker.url, "publisher") as connection:
                channel = await connection.channel(on_return_raises=True)
                try:
                    exchange = await channel.get_exchange(EXCHANGE)
                    await exchange.publish(Message(body(2)), "payment.succeeded", timeout=5)
                except (DeliveryError, ChannelNotFoundEntity):
                    return False
            return True

        await until(published)
        await until(taken(sessions, 2))


async def test_an_event_that_contradicts_what_is_known_fails_at_once_and_the_others_are_processed(
    sessions: Sessions, broker: Broker, handler: Handler, consumer: MakeConsumer
) -> None:
    handler.contradiction = "pay-2"
    async with living(consumer().run):
        await broker.publish(*(body(number) for number in range(5)))

        async def processed() -> bool:
            return await ready(broker) == 0 and await statuses(sessions) == Counter(processed=4, failed=1)

        await until(processed)
    async with sessions() as session:
        found = (await session.execute(select(Inbox.error, Inbox.attempts).where(Inbox.status == "failed"))).one()
    assert tuple(found) == ("contradicts", 1)


async def statuses(sessions: Sessions) -> Counter[str]:
    """Return how many inbox entries have each status."""
    async with sessions() as session:
        return Counter((await session.execute(select(Inbox.status))).scalars())


async def test_a_cut_connection_loses_no_event(
    sessions: Sessions, broker: Broker, handler: Handler, rabbitmq: str, consumer: MakeConsumer
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
    async with Proxy(postgres.owner_url("kit")) as proxy:
        engine = create_engine(SecretStr(proxy.url), name="kit")
        yield proxy, create_sessionmaker(engine)
        proxy.refuse()
        await engine.dispose()


async def test_a_database_that_is_away_costs_no_delivery(
    sessions: Sessions, broker: Broker, handler: Handler, shaky: tuple[Proxy, Sessions], consumer: MakeConsumer
) -> None:
    proxy, through = shaky
    failures = job_failures.labels("0")._value.get()
    async with living(consumer(sessions=through).run):
        await broker.publish(body(0))
        await until(taken(sessions, 1))
        proxy.refuse()
        await broker.publish(*(body(number) for number in range(1, 51)))

        async def held() -> bool:
            return await ready(broker) == 0

        await until(held)
        # Longer than it takes to try again: the messages stay with the consumer, which stays up.
        await asyncio.sleep(1.2)
        assert await ready(broker) == 0
        assert await taken(sessions, 1)()
        proxy.flow()
        await until(taken(sessions, 51))
    assert job_failures.labels("0")._value.get() == failures
    assert await ready(broker) == 0
    assert await ready(broker, broker.queue.dead_letters) == 0


async def test_a_stop_while_the_database_is_away_gives_the_messages_back(
    sessions: Sessions, broker: Broker, handler: Handler, shaky: tuple[Proxy, Sessions], consumer: MakeConsumer
) -> None:
    proxy, through = shaky
    async with living(consumer(sessions=through).run):
        await broker.publish(body(0))
        await until(taken(sessions, 1))
        proxy.refuse()
        await broker.publish(*(body(number) for number in range(1, 11)))

        async def held() -> bool:
            return await ready(broker) == 0

        await until(held)

    async def given_back() -> bool:
        return await ready(broker) == 10

    await until(given_back)
    async with living(consumer().run):
        await until(taken(sessions, 11))


async def test_a_failed_event_is_retried_from_the_inbox(
    sessions: Sessions, broker: Broker, handler: Handler, consumer: MakeConsumer, notifier: Notifier
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
        assert await ready(broker) == 0
        handler.fails = False
        async with sessions.begin() as session:
            await session.execute(update(Inbox).values(next_attempt_at=text("now()")))
        notifier.wake("inbox")
        await until(taken(sessions, 3))


async def test_an_event_that_always_fails_delays_no_other_and_can_be_reprocessed(
    sessions: Sessions,
    broker: Broker,
    handler: Handler,
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
        return [(attempts, "this one always fails" in (error or "")) for attempts, error in found] == [
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
            assert await reprocess(session, Inbox, Audit) == 1
        await until(taken(sessions, 31))
    assert sorted(await references(sessions)) == sorted(f"pay-{number}" for number in range(31))
    assert await ready(broker, broker.queue.dead_letters) == 0


async def test_a_restart_loses_no_event(
    sessions: Sessions, broker: Broker, handler: Handler, consumer: MakeConsumer
) -> None:
    await broker.publish(*(body(number) for number in range(600)))
    for _ in range(4):
        async with living(consumer().run):
            await asyncio.sleep(0.1)
    async with living(consumer().run):
        await until(taken(sessions, 600))
    assert len(set(await references(sessions))) == 600
    assert await ready(broker) == 0


async def test_two_consumers_share_a_queue(
    sessions: Sessions, broker: Broker, handler: Handler, consumer: MakeConsumer
) -> None:
    async with living(consumer().run, consumer().run):
        bodies = [body(number) for number in range(300)]
        await broker.publish(*bodies, *bodies)
        await until(taken(sessions, 300))
    assert len(set(await references(sessions))) == 300


class CountedEvent(PaymentSucceeded):
    """An event that counts how often it is parsed."""

    parsed: ClassVar[Counter[str]] = Counter()

    @model_validator(mode="after")
    def count(self) -> Self:
        self.parsed[self.data.reference] += 1
        return self


async def test_an_event_is_parsed_once_and_only_a_retry_parses_it_again(
    sessions: Sessions, broker: Broker, handler: Handler, notifier: Notifier
) -> None:
    CountedEvent.parsed.clear()
    events: TypeAdapter[CountedEvent] = TypeAdapter(CountedEvent)
    consumer = Consumer(sessions, Inbox, broker.url, broker.queue, events, handler, notifier)
    handler.poison = "pay-3"
    async with living(consumer.run):
        await broker.publish(*(body(number) for number in range(5)))
        await until(taken(sessions, 4))

        async def postponed() -> bool:
            async with sessions() as session:
                return (await session.execute(select(Inbox.attempts).where(Inbox.error.is_not(None)))).scalar() == 1

        await until(postponed)
    assert CountedEvent.parsed == {f"pay-{number}": 1 for number in range(5)}
    handler.poison = ""
    async with sessions.begin() as session:
        await session.execute(update(Inbox).values(next_attempt_at=text("now()")))
    async with living(Processor(sessions, Inbox, consumer.handle_entries, notifier, topic="inbox").run):
        await until(taken(sessions, 5))
    assert CountedEvent.parsed == {f"pay-{number}": 2 if number == 3 else 1 for number in range(5)}


def logged_traces(output: str, reference: str) -> set[str | None]:
    """Return the trace ids of the log lines about a payment."""
    lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    return {line.get("trace_id") for line in lines if line.get("reference") == reference}


async def test_log_lines_and_new_events_of_a_handler_carry_the_trace_of_their_event(
    sessions: Sessions, broker: Broker, notifier: Notifier, json_logs: pytest.CaptureFixture[str]
) -> None:
    """In a batch, in the one-by-one processing after a failure, and in a retry."""
    log = structlog.get_logger("handler")
    traces = {f"pay-{number}": new_traceparent() for number in range(3)}
    failing = {"pay-1"}

    async def handle(session: AsyncSession, events: Sequence[PaymentSucceeded]) -> dict[UUID, str]:
        for event in events:
            with continue_trace(event.traceparent):
                log.info("order delivered", reference=event.data.reference)
                await outbox.add(session, Outbox, make_event(int(event.data.reference.removeprefix("pay-"))))
        if failing & {event.data.reference for event in events}:
            raise ValueError("this one fails at first")
        await session.execute(insert(Effect), [{"of": event.data.reference} for event in events])
        return {}

    consumer = Consumer(sessions, Inbox, broker.url, broker.queue, EVENTS, handle, notifier)
    await broker.publish(*(body(number, traceparent=traces[f"pay-{number}"]) for number in range(3)))
    async with living(consumer.run):
        await until(taken(sessions, 2))
        failing.clear()

        async def postponed() -> bool:
            async with sessions.begin() as session:
                query = update(Inbox).where(Inbox.status == "pending").values(next_attempt_at=text("now()"))
                return len((await session.execute(query.returning(Inbox.id))).all()) == 1

        await until(postponed)
        async with living(Processor(sessions, Inbox, consumer.handle_entries, notifier, topic="inbox").run):
            await until(taken(sessions, 3))
    output = json_logs.readouterr().out
    for reference, trace in traces.items():
        assert logged_traces(output, reference) == {trace[3:35]}
    postponed_lines = [line for line in output.splitlines() if "entry postponed" in line]
    assert [json.loads(line)["trace_id"] for line in postponed_lines] == [traces["pay-1"][3:35]]
    async with sessions() as session:
        published = [json.loads(each) for each in (await session.execute(select(Outbox.body))).scalars()]
    assert {event["data"]["reference"]: event["traceparent"] for event in published} == traces
