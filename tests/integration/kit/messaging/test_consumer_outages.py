"""The consumer loses no event while the broker or the database is away, or when its queue, its binding or its connection is lost."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aio_pika import Message
from aio_pika.exceptions import ChannelNotFoundEntity, DeliveryError
from pydantic import SecretStr

from contracts.topology import EXCHANGE
from dev.servers.postgres import Postgres
from kit.db.engine import create_engine, create_sessionmaker
from kit.messaging import consumer as consumer_module
from kit.messaging.broker import connect
from kit.worker.runner import job_failures
from tests.fixtures.kit_consumer import Handler, MakeConsumer, body, references, taken
from tests.fixtures.kit_messaging import Broker, Sessions
from tests.fixtures.loops import living, until
from tests.fixtures.proxy import Proxy


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


async def test_an_unavailable_database_uses_up_no_delivery(
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
            return await broker.ready_messages() == 0

        await until(held)
        # Longer than it takes to try again: the messages stay with the consumer, which stays up.
        await asyncio.sleep(1.2)
        assert await broker.ready_messages() == 0
        assert await taken(sessions, 1)()
        proxy.flow()
        await until(taken(sessions, 51))
    assert job_failures.labels("0")._value.get() == failures
    assert await broker.ready_messages() == 0
    assert await broker.ready_messages(broker.queue.dead_letters) == 0


async def test_a_shutdown_while_the_database_is_unavailable_returns_the_messages_to_the_queue(
    sessions: Sessions, broker: Broker, handler: Handler, shaky: tuple[Proxy, Sessions], consumer: MakeConsumer
) -> None:
    proxy, through = shaky
    async with living(consumer(sessions=through).run):
        await broker.publish(body(0))
        await until(taken(sessions, 1))
        proxy.refuse()
        await broker.publish(*(body(number) for number in range(1, 11)))

        async def held() -> bool:
            return await broker.ready_messages() == 0

        await until(held)

    async def given_back() -> bool:
        return await broker.ready_messages() == 10

    await until(given_back)
    async with living(consumer().run):
        await until(taken(sessions, 11))


async def test_a_restart_loses_no_event(
    sessions: Sessions, broker: Broker, handler: Handler, consumer: MakeConsumer
) -> None:
    for restart in range(4):
        await broker.publish(*(body(150 * restart + number) for number in range(150)))
        before = len(await references(sessions))

        async def more(before: int = before) -> bool:
            return len(await references(sessions)) > before

        async with living(consumer().run):
            await until(more)
    async with living(consumer().run):
        await until(taken(sessions, 600))
    assert len(set(await references(sessions))) == 600
    assert await broker.ready_messages() == 0
