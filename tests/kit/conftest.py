"""The kit under test, on a real Postgres and a real RabbitMQ."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage
from pydantic import SecretStr
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from contracts.events import PaymentSucceeded, PaymentSucceededData
from contracts.topology import EXCHANGE, Queue
from dev.servers.postgres import Postgres
from kit.db.engine import create_engine, create_sessionmaker
from kit.messaging.broker import connect, declare_queue
from kit.messaging.notifier import Notifier
from tests.kit.tables import Base

Sessions = async_sessionmaker[AsyncSession]


@pytest.fixture(scope="session")
async def engine(postgres: Postgres) -> AsyncIterator[AsyncEngine]:
    found = create_engine(SecretStr(postgres.url("kit")), name="kit")
    async with found.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield found
    await found.dispose()


@pytest.fixture
async def sessions(engine: AsyncEngine) -> Sessions:
    """Sessions on empty tables."""
    made = create_sessionmaker(engine)
    async with made.begin() as session:
        for table in Base.metadata.sorted_tables:
            await session.execute(delete(table))
    return made


@pytest.fixture
def notifier(engine: AsyncEngine) -> Notifier:
    return Notifier(engine, "kit")


def event(number: int = 0) -> PaymentSucceeded:
    order = uuid4()
    data = PaymentSucceededData(
        reference=f"pay-{number}", order_id=order, amount=number, currency="NGN", paid_amount=number
    )
    return PaymentSucceeded(subject=str(order), data=data)


class Broker:
    """The other side of a queue: publishes past the outbox, and takes what has come."""

    def __init__(self, url: str, connection: AbstractConnection, channel: AbstractChannel) -> None:
        self.url = SecretStr(url)
        self.connection = connection
        self.channel = channel
        self.queue = Queue(name=f"test.{uuid4().hex}", bindings=("payment.*",))

    async def publish(self, *bodies: bytes) -> None:
        exchange = await self.channel.get_exchange(EXCHANGE)
        await asyncio.gather(
            *(exchange.publish(aio_pika.Message(body), "payment.succeeded", mandatory=False) for body in bodies)
        )

    async def take(self, count: int, name: str = "") -> list[AbstractIncomingMessage]:
        """Exactly so many messages of the queue."""
        taken: list[AbstractIncomingMessage] = []
        async with asyncio.timeout(15):
            queue = await self.channel.get_queue(name or self.queue.name)
            while len(taken) < count:
                message = await queue.get(no_ack=True, fail=False)
                if message is None:
                    await asyncio.sleep(0.02)
                else:
                    taken.append(message)
        return taken

    async def delete(self) -> None:
        await self.channel.queue_delete(self.queue.name)

    async def is_consumed(self) -> bool:
        """Whether the queue is there and somebody consumes it."""
        channel = await self.connection.channel()
        try:
            found = await channel.declare_queue(self.queue.name, passive=True)
            return bool(found.declaration_result.consumer_count)
        except aio_pika.exceptions.ChannelNotFoundEntity:
            return False
        finally:
            await channel.close()


@pytest.fixture
async def broker(rabbitmq: str) -> AsyncIterator[Broker]:
    async with connect(SecretStr(rabbitmq), "test") as connection:
        channel = await connection.channel()
        found = Broker(rabbitmq, connection, channel)
        await declare_queue(channel, found.queue)
        yield found
        for name in (found.queue.name, found.queue.dead_letters):
            await channel.queue_delete(name)
