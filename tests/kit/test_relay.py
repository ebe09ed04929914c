"""The relay against a real broker: in order, confirmed, never lost; one at a time, and another when it falls."""

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
    Event,
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
from tests.broker_control import BrokerControl
from tests.conftest import broker_node
from tests.kit.conftest import Broker, Sessions, event
from tests.kit.tables import Outbox
from tests.loops import living, until
from tests.proxy import Proxy


async def put(sessions: Sessions, *events: Event) -> None:
    async with sessions.begin() as session:
        await outbox.add(session, Outbox, *events)


def left(sessions: Sessions, count: int = 0) -> Callable[[], Awaitable[bool]]:
    """Whether so many events have not left."""

    async def check() -> bool:
        async with sessions() as session:
            return len((await session.execute(select(Outbox.id))).all()) == count

    return check


async def nothing_to_tell(_since: datetime, _until: datetime) -> AsyncGenerator[int, None]:
    return
    yield


def relay(engine: AsyncEngine, broker: Broker, notifier: Notifier, url: str = "") -> Relay:
    return Relay(engine, Outbox, SecretStr(url) if url else broker.url, [broker.queue], nothing_to_tell, notifier)


def undeliverable() -> OrderUndeliverable:
    """An event that no queue of these tests wants."""
    one = event()
    data = OrderUndeliverableData(
        reference="pay-1", order_id=one.data.order_id, amount=1, currency="NGN", reason=UndeliverableReason.CANCELLED
    )
    return OrderUndeliverable(subject=one.subject, data=data)


async def test_events_leave_in_order_whole_and_once(
    engine: AsyncEngine, sessions: Sessions, broker: Broker, notifier: Notifier
) -> None:
    events = [event(number) for number in range(350)]
    await put(sessions, *events)
    async with living(relay(engine, broker, notifier).run):
        messages = await broker.take(350)
        await until(left(sessions))
    assert [EVENT_ADAPTER.validate_json(message.body) for message in messages] == events
    first = messages[0]
    assert first.delivery_mode == 2
    assert (first.content_type, first.type, first.message_id) == (CONTENT_TYPE, events[0].type, str(events[0].id))


async def test_the_bell_is_heard(engine: AsyncEngine, sessions: Sessions, broker: Broker, notifier: Notifier) -> None:
    one = relay(engine, broker, notifier)
    async with living(one.run):
        for number in range(5):
            await put(sessions, event(number))
            notifier.wake("outbox")
            await broker.take(1)
        await until(left(sessions))


async def test_an_event_that_is_rolled_back_never_leaves(
    engine: AsyncEngine, sessions: Sessions, broker: Broker, notifier: Notifier
) -> None:
    async with sessions() as session:
        await outbox.add(session, Outbox, event(1))
        await session.rollback()
    await put(sessions, event(2))
    async with living(relay(engine, broker, notifier).run):
        (message,) = await broker.take(1)
    assert b"pay-2" in message.body


async def test_what_no_queue_takes_is_kept_and_the_others_pass(
    engine: AsyncEngine, sessions: Sessions, broker: Broker, notifier: Notifier
) -> None:
    await put(sessions, event(1), undeliverable(), event(2))
    async with living(relay(engine, broker, notifier).run):
        await broker.take(2)
        await until(left(sessions, 1))
        await put(sessions, event(3))
        await broker.take(1)
        await until(left(sessions, 1))
    async with sessions() as session:
        kept = (await session.execute(select(Outbox))).scalar_one()
    assert (kept.type, kept.error) == ("order.undeliverable", "no queue accepted the event")
    assert kept.attempts >= 1


async def test_a_queue_that_is_deleted_under_it(
    engine: AsyncEngine, sessions: Sessions, broker: Broker, notifier: Notifier
) -> None:
    one = relay(engine, broker, notifier)
    async with living(one.run):
        await put(sessions, event(1))
        notifier.wake("outbox")
        await broker.take(1)
        await broker.delete()
        await put(sessions, event(2))
        notifier.wake("outbox")
        await until(left(sessions))
        (message,) = await broker.take(1)
    assert b"pay-2" in message.body


async def test_an_exchange_that_is_deleted_under_it(
    engine: AsyncEngine, sessions: Sessions, broker: Broker, notifier: Notifier
) -> None:
    one = relay(engine, broker, notifier)
    async with living(one.run):
        await put(sessions, event(1))
        notifier.wake("outbox")
        await broker.take(1)
        await broker.channel.exchange_delete(EXCHANGE)
        await put(sessions, event(2), event(3))
        notifier.wake("outbox")
        await until(left(sessions))
        assert len(await broker.take(2)) == 2


async def test_a_binding_that_is_deleted_under_it(
    engine: AsyncEngine, sessions: Sessions, broker: Broker, notifier: Notifier
) -> None:
    one = relay(engine, broker, notifier)
    async with living(one.run):
        await put(sessions, event(1))
        notifier.wake("outbox")
        await broker.take(1)
        queue = await broker.channel.get_queue(broker.queue.name)
        await queue.unbind(EXCHANGE, "payment.*")
        await put(sessions, event(2))
        notifier.wake("outbox")
        await until(left(sessions))
        (message,) = await broker.take(1)
    assert b"pay-2" in message.body


async def test_a_queue_that_is_full(
    engine: AsyncEngine, sessions: Sessions, broker: Broker, notifier: Notifier
) -> None:
    control = BrokerControl(broker_node._env())
    limits = '{"max-length": 20, "overflow": "reject-publish"}'
    await control("set_policy", "--apply-to", "queues", "full", f"^{re.escape(broker.queue.name)}$", limits)
    sent = 0

    async def refused() -> bool:
        nonlocal sent
        await put(sessions, *(event(number) for number in range(sent, sent + 30)))
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


async def test_a_wrong_password_is_said_and_not_tried_in_a_tight_loop(
    engine: AsyncEngine, broker: Broker, monkeypatch: pytest.MonkeyPatch, notifier: Notifier
) -> None:
    said = CapturingLogger()
    monkeypatch.setattr(runner, "log", said)
    failures = job_failures.labels("0")._value
    before, began = failures.get(), time.monotonic()

    async def tried(times: int) -> bool:
        return bool(failures.get() - before >= times)

    url = str(URL(broker.url.get_secret_value()).with_password("mistyped"))
    async with living(relay(engine, broker, notifier, url).run):
        await until(lambda: tried(2), 5)
        assert "AuthenticationError" in str(said.calls)
        assert "mistyped" not in str(said.calls)
        await until(lambda: tried(5), 30)
    # Pauses that double, and at least half of each: 0.1 + 0.2 + 0.4 + 0.8 s between five tries; about every 5 s in the end.
    assert time.monotonic() - began > 1.5


async def test_a_connection_that_is_cut(
    engine: AsyncEngine, sessions: Sessions, broker: Broker, rabbitmq: str, notifier: Notifier
) -> None:
    async with Proxy(rabbitmq) as proxy:
        one = relay(engine, broker, notifier, proxy.url)
        async with living(one.run):
            for number in range(3):
                await put(sessions, *(event(100 * number + each) for each in range(100)))
                notifier.wake("outbox")
                await until(left(sessions, 0))
                proxy.cut()
    numbers = {EVENT_ADAPTER.validate_json(message.body).data.amount for message in await broker.take(300)}
    assert numbers == set(range(300))


async def test_confirms_that_are_lost_send_again(
    engine: AsyncEngine, sessions: Sessions, broker: Broker, rabbitmq: str, notifier: Notifier
) -> None:
    async with Proxy(rabbitmq) as proxy:
        one = relay(engine, broker, notifier, proxy.url)
        async with living(one.run):
            await put(sessions, event(1))
            notifier.wake("outbox")
            await until(left(sessions))
            proxy.lose_answers()
            await put(sessions, event(2))
            notifier.wake("outbox")
            first, second = await broker.take(2)
            assert not await left(sessions)()  # delivered, but we were not told
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


async def test_one_relays_and_another_takes_over(
    engine: AsyncEngine, sessions: Sessions, broker: Broker, postgres: Postgres, notifier: Notifier
) -> None:
    other = create_engine(SecretStr(postgres.url("kit")), name="kit")

    async def one_holds() -> bool:
        return len(await holders(engine)) == 1

    try:
        async with living(relay(other, broker, notifier).run):
            async with living(relay(engine, broker, notifier).run):
                await until(one_holds)
                await put(sessions, *(event(number) for number in range(50)))
                await until(left(sessions))
            await put(sessions, *(event(number) for number in range(50, 100)))
            await until(left(sessions))
            assert await one_holds()
    finally:
        await other.dispose()
    messages = await broker.take(100)
    assert [EVENT_ADAPTER.validate_json(message.body).data.amount for message in messages] == list(range(100))
    assert await holders(engine) == []


async def test_a_relay_whose_session_is_killed_holds_nothing(
    engine: AsyncEngine, sessions: Sessions, broker: Broker, notifier: Notifier
) -> None:
    first, second = relay(engine, broker, notifier), relay(engine, broker, notifier)
    async with living(first.run, second.run):
        for number in range(3):
            await put(sessions, event(number))
            notifier.wake("outbox")
            await until(left(sessions))
            async with engine.connect() as connection:
                for pid in await holders(engine):
                    await connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        await put(sessions, event(3))
        await until(left(sessions))
    numbers = [EVENT_ADAPTER.validate_json(message.body).data.amount for message in await broker.take(4)]
    assert numbers == [0, 1, 2, 3]


async def test_a_broker_that_is_not_there_yet(
    engine: AsyncEngine, sessions: Sessions, broker: Broker, rabbitmq: str, notifier: Notifier
) -> None:
    await put(sessions, event(1))
    async with Proxy(rabbitmq) as proxy:
        proxy.refuse()
        async with living(relay(engine, broker, notifier, proxy.url).run):
            await asyncio.sleep(0)
            assert await left(sessions, 1)()
            proxy.flow()
            await until(left(sessions))
            await broker.take(1)


async def test_the_backlog_is_counted(engine: AsyncEngine, sessions: Sessions, broker: Broker) -> None:
    await put(sessions, event(1), event(2))
    async with sessions() as session:
        count, age = await outbox.backlog(session, Outbox)
    assert count == 2
    assert 0 <= age < 60
