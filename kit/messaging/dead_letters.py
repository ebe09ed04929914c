"""Read the dead letters of a queue without removing them, put them back into the queue, or delete them.

A dead letter that was read stays unacknowledged until the channel is closed. Then the broker returns it to its place in the queue.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from pydantic import SecretStr

from contracts.topology import Queue
from kit.messaging.broker import TIMEOUT_SECONDS, connect

MAX_READ = 1000
MAX_READ_BYTES = 64 * 1024 * 1024
"""Reading stops after this many dead letters or bytes, because they stay in memory until the channel is closed."""

ADDED_BY_BROKER = "x-"
"""Headers whose names begin with this were added by the broker, and describe the dead letter."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A dead letter. Messages with the same message id, type and body have the same `id`. `reason` and `died_at` are the broker's."""

    id: str
    message_id: str | None
    type: str | None
    reason: str | None
    died_at: datetime | None
    body: bytes
    message: AbstractIncomingMessage

    @classmethod
    def of(cls, message: AbstractIncomingMessage) -> "DeadLetter":
        """Return the dead letter in a message."""
        parts = [str(message.message_id).encode(), str(message.type).encode(), message.body]
        deaths = message.headers.get("x-death")
        death = deaths[0] if isinstance(deaths, list) and deaths and isinstance(deaths[0], dict) else {}
        reason, died_at = death.get("reason"), death.get("time")
        return cls(
            id=hashlib.sha256(b"\0".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()[:12],
            message_id=message.message_id,
            type=message.type,
            reason=reason if isinstance(reason, str) else None,
            died_at=died_at.astimezone(UTC) if isinstance(died_at, datetime) else None,
            body=message.body,
            message=message,
        )


class DeadLetters:
    """The dead letters of a queue. Use `open_dead_letters`. `count`: how many there were when they were opened."""

    def __init__(self, channel: AbstractChannel, queue: Queue, count: int) -> None:
        self.count = count
        self._channel = channel
        self._queue = queue

    async def read(self, limit: int = MAX_READ) -> AsyncIterator[DeadLetter]:
        """Yield up to `limit` dead letters, at most MAX_READ_BYTES, oldest first."""
        queue = await self._channel.get_queue(self._queue.dead_letters, ensure=False)
        size = 0
        for _ in range(limit):
            message = await queue.get(fail=False, timeout=TIMEOUT_SECONDS)
            if message is None:
                return
            yield DeadLetter.of(message)
            size += len(message.body)
            if size > MAX_READ_BYTES:
                return

    async def put_back(self, letter: DeadLetter) -> None:
        """Publish a dead letter to its queue and, when the broker has confirmed it, remove it.

        After a crash in between, it is in both queues. The inbox recognizes the repeated event.
        """
        message = letter.message
        headers = {name: value for name, value in message.headers.items() if not name.startswith(ADDED_BY_BROKER)}
        again = aio_pika.Message(
            message.body,
            headers=headers,
            message_id=message.message_id,
            type=message.type,
            content_type=message.content_type,
            timestamp=message.timestamp,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        )
        exchange = await self._channel.get_exchange(self._queue.dead_letter_exchange, ensure=False)
        await exchange.publish(again, self._queue.name, mandatory=True, timeout=TIMEOUT_SECONDS)
        await self.delete(letter)

    async def delete(self, letter: DeadLetter) -> None:
        """Remove a dead letter that was read."""
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await letter.message.ack()


@asynccontextmanager
async def open_dead_letters(amqp_url: SecretStr, queue: Queue) -> AsyncIterator[DeadLetters]:
    """Open the dead letters of a queue. Raises ChannelNotFoundEntity if its consumer has not declared the queue yet."""
    async with connect(amqp_url, f"{queue.name}-dead-letters") as connection:
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        found = await channel.declare_queue(queue.dead_letters, passive=True, timeout=TIMEOUT_SECONDS)
        yield DeadLetters(channel, queue, found.declaration_result.message_count or 0)
