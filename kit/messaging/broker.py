"""A connection to RabbitMQ, and the topology that makes sure no message is lost on it.

Plain connections, not aio-pika's robust ones: a loop that loses its connection is started again whole, and declares what it needs again.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange, AbstractQueue
from pydantic import SecretStr
from yarl import URL

from contracts.topology import EXCHANGE, Queue

TIMEOUT = 5.0
HEARTBEAT_SECONDS = 10
DELIVERY_LIMIT = 20
"""Redeliveries after which even a message that kills its consumer goes to the dead letters; a crash counts as one."""


@asynccontextmanager
async def connect(url: SecretStr, name: str) -> AsyncIterator[AbstractConnection]:
    """A connection that is closed within a deadline, also while the broker does not answer."""
    target = URL(url.get_secret_value()).update_query(heartbeat=HEARTBEAT_SECONDS, name=name)
    async with asyncio.timeout(2 * TIMEOUT):
        connection = await aio_pika.connect(target, timeout=TIMEOUT)
    try:
        yield connection
    finally:
        try:
            async with asyncio.timeout(TIMEOUT):
                await connection.close()
        except Exception:  # noqa: S110 -- it is gone already, which is what was wanted
            pass


async def declare_exchange(channel: AbstractChannel) -> AbstractExchange:
    return await channel.declare_exchange(EXCHANGE, aio_pika.ExchangeType.TOPIC, durable=True, timeout=TIMEOUT)


async def declare_queue(channel: AbstractChannel, queue: Queue) -> AbstractQueue:
    """The exchange, the queue with its bindings, and its dead letters. Works on RabbitMQ 3.10 and 4.x alike."""
    await declare_exchange(channel)
    await channel.declare_queue(queue.dead_letters, durable=True, arguments={"x-queue-type": "quorum"}, timeout=TIMEOUT)
    declared = await channel.declare_queue(
        queue.name,
        durable=True,
        arguments={
            "x-queue-type": "quorum",
            "x-delivery-limit": DELIVERY_LIMIT,
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": queue.dead_letters,
        },
        timeout=TIMEOUT,
    )
    for key in queue.bindings:
        await declared.bind(EXCHANGE, key, timeout=TIMEOUT)
    return declared
