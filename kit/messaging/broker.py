"""Connect to RabbitMQ, and declare the exchanges and queues of a consumer.

Plain connections, not aio-pika's robust ones: a job that loses its connection is restarted and declares its queues again.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractQueue
from aio_pika.exceptions import ChannelNotFoundEntity
from pydantic import SecretStr
from yarl import URL

from contracts.topology import EXCHANGE, Queue

TIMEOUT_SECONDS = 5.0
HEARTBEAT_SECONDS = 10
DELIVERY_LIMIT = 20
"""After this many redeliveries a message becomes a dead letter, so that a message that crashes its consumer is not redelivered forever. A
crash counts as one redelivery."""

DEAD_LETTER_DELIVERY_LIMIT = 1_000_000
"""Looking at a dead letter counts as a delivery. RabbitMQ 4 would drop it after 20 deliveries, its default limit."""


@asynccontextmanager
async def connect(url: SecretStr, name: str) -> AsyncIterator[AbstractConnection]:
    """Connect to the broker. Closing the connection takes at most TIMEOUT_SECONDS, even if the broker does not respond."""
    target = URL(url.get_secret_value()).update_query(heartbeat=HEARTBEAT_SECONDS, name=name)
    async with asyncio.timeout(2 * TIMEOUT_SECONDS):
        connection = await aio_pika.connect(target, timeout=TIMEOUT_SECONDS)
    try:
        yield connection
    finally:
        with contextlib.suppress(Exception):  # the connection may be closed or broken already
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await connection.close()


async def declare_exchange(connection: AbstractConnection) -> None:
    """Declare the exchange for all events, unless it exists: a service may lack the permission to create it."""
    if await exists(connection, exchange=EXCHANGE):
        return
    async with connection.channel() as channel:
        await channel.declare_exchange(EXCHANGE, aio_pika.ExchangeType.TOPIC, durable=True, timeout=TIMEOUT_SECONDS)


async def declare_queue(connection: AbstractConnection, channel: AbstractChannel, queue: Queue) -> AbstractQueue:
    """Declare a queue for its consumer: with its bindings, its dead-letter exchange and its dead-letter queue.

    Works on RabbitMQ 3.10 and 4.x.
    """
    await declare_exchange(connection)
    await channel.declare_exchange(
        queue.dead_letter_exchange, aio_pika.ExchangeType.DIRECT, durable=True, timeout=TIMEOUT_SECONDS
    )
    await channel.declare_queue(
        queue.dead_letters,
        durable=True,
        arguments={"x-queue-type": "quorum", "x-delivery-limit": DEAD_LETTER_DELIVERY_LIMIT},
        timeout=TIMEOUT_SECONDS,
    )
    declared = await channel.declare_queue(
        queue.name,
        durable=True,
        arguments={
            "x-queue-type": "quorum",
            "x-delivery-limit": DELIVERY_LIMIT,
            "x-dead-letter-exchange": queue.dead_letter_exchange,
            "x-dead-letter-routing-key": queue.dead_letters,
        },
        timeout=TIMEOUT_SECONDS,
    )
    await bind_queue(channel, queue)
    return declared


async def bind_queue(channel: AbstractChannel, queue: Queue) -> None:
    """Create the bindings of a queue and of its dead-letter queue. Raises ChannelNotFoundEntity if a queue or an exchange is missing."""
    events = await channel.get_queue(queue.name, ensure=False)
    dead_letters = await channel.get_queue(queue.dead_letters, ensure=False)
    for key in queue.bindings:
        await events.bind(EXCHANGE, key, timeout=TIMEOUT_SECONDS)
    await dead_letters.bind(queue.dead_letter_exchange, queue.dead_letters, timeout=TIMEOUT_SECONDS)
    # With this binding, a dead letter can be put back: nothing else publishes with the name of the queue as the routing key.
    await events.bind(queue.dead_letter_exchange, queue.name, timeout=TIMEOUT_SECONDS)


async def exists(connection: AbstractConnection, *, exchange: str = "", queue: str = "") -> bool:
    """Return True if the exchange or the queue exists. This needs no permission."""
    async with asyncio.timeout(2 * TIMEOUT_SECONDS):
        # Use a separate channel, because the broker closes the channel if the name is unknown.
        async with connection.channel() as channel:
            try:
                if exchange:
                    await channel.declare_exchange(exchange, passive=True, timeout=TIMEOUT_SECONDS)
                if queue:
                    await channel.declare_queue(queue, passive=True, timeout=TIMEOUT_SECONDS)
            except ChannelNotFoundEntity:
                return False
    return True
