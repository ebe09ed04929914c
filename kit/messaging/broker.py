"""Connect to RabbitMQ and declare the exchange and the queues.

Plain connections, not aio-pika's robust ones: a job that loses its connection is restarted and declares its queues again.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange, AbstractQueue
from pydantic import SecretStr
from yarl import URL

from contracts.topology import EXCHANGE, Queue

TIMEOUT_SECONDS = 5.0
HEARTBEAT_SECONDS = 10
DELIVERY_LIMIT = 20
"""After this many redeliveries a message becomes a dead letter, so that a message that crashes its consumer is not redelivered forever. A
crash counts as one redelivery."""


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


async def declare_exchange(channel: AbstractChannel) -> AbstractExchange:
    """Declare the exchange for all events."""
    return await channel.declare_exchange(EXCHANGE, aio_pika.ExchangeType.TOPIC, durable=True, timeout=TIMEOUT_SECONDS)


async def declare_queue(channel: AbstractChannel, queue: Queue) -> AbstractQueue:
    """Declare the exchange, a queue with its bindings, and its dead-letter queue. Works on RabbitMQ 3.10 and 4.x."""
    await declare_exchange(channel)
    await channel.declare_queue(
        queue.dead_letters, durable=True, arguments={"x-queue-type": "quorum"}, timeout=TIMEOUT_SECONDS
    )
    declared = await channel.declare_queue(
        queue.name,
        durable=True,
        arguments={
            "x-queue-type": "quorum",
            "x-delivery-limit": DELIVERY_LIMIT,
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": queue.dead_letters,
        },
        timeout=TIMEOUT_SECONDS,
    )
    for key in queue.bindings:
        await declared.bind(EXCHANGE, key, timeout=TIMEOUT_SECONDS)
    return declared
