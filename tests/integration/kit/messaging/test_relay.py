"""The relay on a real broker: events are published in order, confirmed, and never lost; one relay is active at a time."""

import asyncio
import re
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import datetime

import pytest
from pydantic import SecretStr
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import CapturingLogger
from yarl import URL

from contracts.events import (
    CONTENT_TYPE,
    EVENT_ADAPTER,
    OrderUndeliverable,
    OrderUndeliverableData,
    UndeliverableReason,
)
from contracts.topology import EXCHANGE
from dev.servers.postgres import Postgres
from kit.db.engine import create_engine
from kit.messaging import outbox
from kit.messaging import relay as relay_module
from kit.messaging.notifier import Notifier
from kit.messaging.relay import Relay
from kit.worker import runner
from kit.worker.runner import job_failures
from tests.fixtures.broker_control import BrokerControl
from tests.fixtures.environment import broker_node
from tests.fixtures.kit_messaging import Broker, Sessions, left, make_event, put
from tests.fixtures.kit_tables import Outbox
from tests.fixtures.loops import living, until
from tests.fixtures.proxy import Proxy


async def republish_nothing(_since: datetime, _until: datetime) -> AsyncGenerator[int, None]:
    return
    yield


def relay(engine: AsyncEngine, broker: Broker, notifier: Notifier, url: str = "") -> Relay:
    return Relay(engine, Outbox, SecretStr(url) if url else broker.url, [broker.queue], republish_nothing, notifier)


def undeliverable() -> OrderUndeliverable:
    """Return an event that no queue of these tests takes."""
    one = make_event()
    data = OrderUndeliverableData(
        reference="pay-1", order_id=one.data.order_id, amount=1, currency="NGN", reason=UndeliverableReason.CANCELLED
    )
    return OrderUndeliverable(subject=one.subject, data=data)


def refused(sessions: Sessions) -> Callable[[], Awaitable[bool]]:
    """Return a condition: the broker has refused an event, because no queue takes it."""

    async def check() -> bool:
        async with sessions() as session:
            return bool((await session.execute(select(Outbox.id).where(Outbox.attempts > 0))).all())

    return check


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
    engine: AsyncEngine, sessions: Sessions, broker: Broker, notifier: Notifier
) -> None:
    one = relay(engine, broker, notifier)
    async with living(one.run):
        for number in range(5):
            await put(sessions, make_event(number))
            notifier.wake("outbox")
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


async def test_events_are_kept_until_the_consumer_declares_a_deleted_queue_again(
    engine: AsyncEngine, sessions: Sessions, broker: Broker, notifier: Notifier
) -> None:
    one = relay(engine, broker, notifier)
    async with living(one.run):
        await put(sessions, make_event(1))
        notifier.wake("outbox")
        await broker.take(1)
        await broker.delete()
        await put(sessions, make_event(2))
        notifier.wake("outbox")
        await until(refused(sessions))
        assert await left(sessions, 1)()
        await broker.declare()
        await until(left(sessions))
        (message,) = await broker.take(1)
    assert b"pay-2" in message.body


async def test_a_deleted_exchange_is_declared_again(
    engine: AsyncEngine, sessions: Sessions, broker: Broker, notifier: Notifier
) -> None:
    one = relay(engine, broker, notifier)
    async with living(one.run):
        await put(sessions, make_event(1))
        notifier.wake("outbox")
        await broker.take(1)
        await broker.channel.exchange_delete(EXCHANGE)
        await put(sessions, make_event(2), make_event(3))
        notifier.wake("outbox")
        await until(refused(sessions))
        await broker.declare()
        await until(left(sessions))
        assert len(await broker.take(2)) == 2


async def test_events_are_kept_while_the_queue_is_full(
    engine: AsyncEngine, sessions: Sessions, broker: Broker, notifier: Notifier
) -> None:
    control = BrokerControl(broker_node._env())
    limits = '{"max-length": 20, "overflow": "reject-publish"}'
    await control("set_policy", "--apply-to", "queues", "full", f"^{re.escape(broker.queue.name)}$", limits)
    sent = 0

    async def refused() -> bool:
        nonlocal sent
        await put(sessions, *(make_event(number) for number in range(sent, sent + 30)))
        sent += 30
        async with sessions() as session:
            found = await session.execute(select(Outbox.attempts).where(Outbox.error == "no queue accepted the event"))
            return any(attempts > 0 for attempts in found.scalars())

    one = relay(engine, broker, notifier)
    async with living(one.run):
        await until(refused)
        await control("clear_policy", "full")
        await until(left(sessions), 40)
        messages = await broker.take(sent)
    assert {EVENT_ADAPTER.validate_json(message.body).data.amount for message in messages} == set(range(sent))


async def test_a_wrong_password_is_logged_and_retried_with_backoff(
    engine: AsyncEngine, broker: Broker, monkeypatch: pytest.MonkeyPatch, notifier: Notifier
) -> None:
    logged = CapturingLogger()
    monkeypatch.setattr(runner, "log", logged)
    failures = job_failures.labels("0")._value
    before, began = failures.get(), time.monotonic()

    async def tried(times: int) -> bool:
        return bool(failures.get() - before >= times)

    url = str(URL(broker.url.get_secret_value()).with_password("mistyped"))
    async with living(relay(engine, broker, notifier, url).run):
        await until(lambda: tried(2), 5)
        assert "AuthenticationError" in str(logged.calls)
        assert "mistyped" not in str(logged.calls)
        await until(lambda: tried(5), 30)
    # The pauses double and are at least half of their mean: 0.1 + 0.2 + 0.4 + 0.8 s between five attempts; in the end about 5 s.
    assert time.monotonic() - began > 1.5


async def test_a_cut_connection_loses_no_event(
    engine: AsyncEngine, sessions: Sessions, broker: Broker, rabbitmq: str, notifier: Notifier
) -> None:
    async with Proxy(rabbitmq) as proxy:
        one = relay(engine, broker, notifier, proxy.url)
        async with living(one.run):
            for number in range(3):
                await put(sessions, *(make_event(100 * number + each) for each in range(100)))
                notifier.wake("outbox")
                await until(left(sessions, 0))
                proxy.cut()
    numbers = {EVENT_ADAPTER.validate_json(message.body).data.amount for message in await broker.take(300)}
    assert numbers == set(range(300))


async def test_events_are_published_again_when_their_confirms_are_lost(
    engine: AsyncEngine, sessions: Sessions, broker: Broker, rabbitmq: str, notifier: Notifier
) -> None:
    async with Proxy(rabbitmq) as proxy:
        one = relay(engine, broker, notifier, proxy.url)
        async with living(one.run):
            await put(sessions, make_event(1))
            notifier.wake("outbox")
            await until(left(sessions))
            proxy.lose_answers()
            await put(sessions, make_event(2))
            notifier.wake("outbox")
            first, second = await broker.take(2)
            assert not await left(sessions)()  # delivered, but not confirmed
            proxy.flow()
            proxy.cut()
            await until(left(sessions))
            (again,) = await broker.take(1)
    assert (b"pay-1" in first.body, b"pay-2" in second.body) == (True, True)
    assert again.message_id == second.message_id


async def holders(engine: AsyncEngine) -> list[int]:
    async with engine.connect() as connection:
        found = await connection.execute(
            text("SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = :lock AND granted"),
            {"lock": relay_module.LOCK},
        )
        return list(found.scalars())


async def test_a_standby_relay_takes_over(
    engine: AsyncEngine, sessions: Sessions, broker: Broker, postgres: Postgres, notifier: Notifier
) -> None:
    other = create_engine(SecretStr(postgres.owner_url("kit")), name="kit")

    async def one_holds() -> bool:
        return len(await holders(engine)) == 1

    try:
        async with living(relay(other, broker, notifier).run):
            async with living(relay(engine, broker, notifier).run):
                await until(one_holds)
                await put(sessions, *(make_event(number) for number in range(50)))
                await until(left(sessions))
            await put(sessions, *(make_event(number) for number in range(50, 100)))
            await until(left(sessions))
            assert await one_holds()
    finally:
        await other.dispose()
    messages = await broker.take(100)
    assert [EVENT_ADAPTER.validate_json(message.body).data.amount for message in messages] == list(range(100))
    assert await holders(engine) == []


async def test_a_relay_whose_session_is_killed_loses_its_lock(
    engine: AsyncEngine, sessions: Sessions, broker: Broker, notifier: Notifier
) -> None:
    first, second = relay(engine, broker, notifier), relay(engine, broker, notifier)
    async with living(first.run, second.run):
        for number in range(3):
            await put(sessions, make_event(number))
            notifier.wake("outbox")
            await until(left(sessions))
            async with engine.connect() as connection:
                for pid in await holders(engine):
                    await connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        await put(sessions, make_event(3))
        await until(left(sessions))
    numbers = [EVENT_ADAPTER.validate_json(message.body).data.amount for message in await broker.take(4)]
    assert numbers == [0, 1, 2, 3]


async def test_events_are_published_when_the_broker_becomes_available(
    engine: AsyncEngine, sessions: Sessions, broker: Broker, rabbitmq: str, notifier: Notifier
) -> None:
    await put(sessions, make_event(1))
    async with Proxy(rabbitmq) as proxy:
        proxy.refuse()
        async with living(relay(engine, broker, notifier, proxy.url).run):
            await asyncio.sleep(0)
            assert await left(sessions, 1)()
            proxy.flow()
            await until(left(sessions))
            await broker.take(1)


async def test_backlog_counts_events_and_the_age_of_the_oldest(
    engine: AsyncEngine, sessions: Sessions, broker: Broker
) -> None:
    await put(sessions, make_event(1), make_event(2))
    async with sessions() as session:
        count, age = await outbox.backlog(session, Outbox)
    assert count == 2
    assert 0 <= age < 60
