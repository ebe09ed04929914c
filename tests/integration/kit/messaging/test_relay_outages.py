"""The relay loses no event while the broker is away or a queue is deleted or full, and when a connection is cut."""

import re
import time

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import CapturingLogger
from yarl import URL

from contracts.events import PaymentSucceeded
from contracts.topology import EXCHANGE
from kit.messaging.notifier import Notifier
from kit.worker import runner
from kit.worker.runner import job_failures
from tests.fixtures.broker_control import BrokerControl
from tests.fixtures.environment import broker_node
from tests.fixtures.kit_messaging import Broker, Sessions, left, make_event, put
from tests.fixtures.kit_relay import refused, relay
from tests.fixtures.kit_tables import Outbox
from tests.fixtures.loops import living, until
from tests.fixtures.proxy import Proxy


async def test_events_are_kept_until_the_consumer_declares_a_deleted_queue_again(
    engine: AsyncEngine, sessions: Sessions, broker: Broker, notifier: Notifier
) -> None:
    one = relay(engine, broker, notifier)
    async with living(one.run):
        await put(sessions, make_event(1))
        notifier.wake_local("outbox")
        await broker.take(1)
        await broker.delete()
        await put(sessions, make_event(2))
        notifier.wake_local("outbox")
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
        notifier.wake_local("outbox")
        await broker.take(1)
        await broker.channel.exchange_delete(EXCHANGE)
        await put(sessions, make_event(2), make_event(3))
        notifier.wake_local("outbox")
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
    assert {PaymentSucceeded.model_validate_json(message.body).data.amount for message in messages} == set(range(sent))


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
                notifier.wake_local("outbox")
                await until(left(sessions, 0))
                proxy.cut()
    numbers = {PaymentSucceeded.model_validate_json(message.body).data.amount for message in await broker.take(300)}
    assert numbers == set(range(300))


async def test_events_are_published_again_when_their_confirms_are_lost(
    engine: AsyncEngine, sessions: Sessions, broker: Broker, rabbitmq: str, notifier: Notifier
) -> None:
    async with Proxy(rabbitmq) as proxy:
        one = relay(engine, broker, notifier, proxy.url)
        async with living(one.run):
            await put(sessions, make_event(1))
            notifier.wake_local("outbox")
            await until(left(sessions))
            proxy.lose_answers()
            await put(sessions, make_event(2))
            notifier.wake_local("outbox")
            first, second = await broker.take(2)
            assert not await left(sessions)()  # delivered, but not confirmed
            proxy.flow()
            proxy.cut()
            await until(left(sessions))
            (again,) = await broker.take(1)
    assert (b"pay-1" in first.body, b"pay-2" in second.body) == (True, True)
    assert again.message_id == second.message_id


async def test_events_are_published_when_the_broker_becomes_available(
    engine: AsyncEngine, sessions: Sessions, broker: Broker, rabbitmq: str, notifier: Notifier
) -> None:
    await put(sessions, make_event(1))
    async with Proxy(rabbitmq) as proxy:
        proxy.refuse()
        failures = job_failures.labels("0")._value
        before = failures.get()

        async def tried() -> bool:
            return bool(failures.get() > before)

        async with living(relay(engine, broker, notifier, proxy.url).run):
            await until(tried)
            assert await left(sessions, 1)()
            proxy.flow()
            await until(left(sessions))
            await broker.take(1)
