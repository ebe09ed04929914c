"""Events whose processing fails: they wait in the inbox, delay no other, and are processed later."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import ClassVar, Self
from uuid import UUID

import pytest
import structlog
from pydantic import TypeAdapter, model_validator
from sqlalchemy import insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.events import PaymentSucceeded
from kit.cli.reprocess import reprocess
from kit.messaging import outbox, processor
from kit.messaging.consumer import Consumer
from kit.messaging.notifier import Notifier
from kit.messaging.processor import Processor
from kit.observability.tracing import continue_trace, new_traceparent
from kit.worker.backoff import Backoff
from tests.fixtures.kit_consumer import EVENTS, Handler, MakeConsumer, body, references, statuses, taken
from tests.fixtures.kit_messaging import Broker, Sessions, make_event
from tests.fixtures.kit_tables import Audit, Effect, Inbox, Outbox
from tests.fixtures.loops import living, until


async def test_an_event_that_contradicts_what_is_known_fails_at_once_and_the_others_are_processed(
    sessions: Sessions, broker: Broker, handler: Handler, consumer: MakeConsumer
) -> None:
    handler.contradiction = "pay-2"
    async with living(consumer().run):
        await broker.publish(*(body(number) for number in range(5)))

        async def processed() -> bool:
            return await broker.ready_messages() == 0 and await statuses(sessions) == Counter(processed=4, failed=1)

        await until(processed)
    async with sessions() as session:
        found = (await session.execute(select(Inbox.error, Inbox.attempts).where(Inbox.status == "failed"))).one()
    assert tuple(found) == ("contradicts", 1)


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
        assert await broker.ready_messages() == 0
        handler.fails = False
        async with sessions.begin() as session:
            await session.execute(update(Inbox).values(next_attempt_at=text("now()")))
        notifier.wake_local("inbox")
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
    assert await broker.ready_messages(broker.queue.dead_letters) == 0


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
