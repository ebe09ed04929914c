"""The consumer's door: an event is claimed and takes effect in one transaction, and only then is it acknowledged."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

import structlog
from aio_pika.abc import AbstractIncomingMessage
from aiormq.abc import AbstractChannel as UnderlayChannel
from prometheus_client import Counter, Gauge
from pydantic import SecretStr, TypeAdapter, ValidationError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from contracts.events import Event
from contracts.topology import Queue
from kit.db.errors import is_unavailable
from kit.messaging import inbox, processor
from kit.messaging.broker import TIMEOUT, connect, declare_queue
from kit.messaging.inbox import Entry, InboxEntry
from kit.messaging.processor import BATCHING_SECONDS, SMALL_BATCH, BatchResult
from kit.observability.tracing import valid_traceparent
from kit.worker.shutdown import Shutdown

PREFETCH = 200
consumer_up = Gauge("consumer_up", "1 while consuming", ["queue"])
consumed_total = Counter("consumed_total", "Messages taken from the broker", ["queue", "result"])
log = structlog.get_logger("consumer")

E = TypeVar("E", bound=Event)


class ConsumerLost(Exception):
    """The broker ended the channel or the consumer (the queue was deleted, a connection fell): begin again."""


class Consumer(Generic[E]):
    """Consumes one queue into one inbox. What cannot be read goes to the dead letters; what fails is tried again from the inbox."""

    def __init__(
        self,
        sessions: async_sessionmaker[AsyncSession],
        inbox: type[InboxEntry],
        amqp_url: SecretStr,
        queue: Queue,
        events: TypeAdapter[E],
        handler: Callable[[AsyncSession, Sequence[E]], Awaitable[None]],
        *,
        outbox_bell: asyncio.Event,
    ) -> None:
        self.sessions = sessions
        self.inbox = inbox
        self.amqp_url = amqp_url
        self.queue = queue
        self.events = events
        self.handler = handler
        self.outbox_bell = outbox_bell
        self._up = False

    async def check(self) -> str | None:
        """For readiness: whether the broker hands us messages."""
        return None if self._up else f"not consuming {self.queue.name}"

    async def handle(self, session: AsyncSession, entries: Sequence[Entry]) -> BatchResult:
        """The inbox's handler: entries as events. Also what a retry runs."""
        await self.handler(session, [self.events.validate_json(entry.body) for entry in entries])
        return BatchResult()

    async def run(self, shutdown: Shutdown) -> None:
        arrived: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()  # bounded by the prefetch
        async with connect(self.amqp_url, f"{self.queue.name}-consumer") as connection:
            channel = await connection.channel()
            await channel.set_qos(prefetch_count=PREFETCH, timeout=TIMEOUT)
            queue = await declare_queue(channel, self.queue)
            lost = asyncio.ensure_future(channel.closed())
            underlay: UnderlayChannel = await channel.get_underlay_channel()

            def cancelled(*_: Any) -> None:
                lost.cancel()

            underlay.on_consumer_cancel_callbacks.add(cancelled)
            tag = await queue.consume(arrived.put, timeout=TIMEOUT)
            log.info("consuming", queue=self.queue.name)
            self._set_up(True)
            try:
                while batch := await self._next(arrived, shutdown, lost):
                    await self._take(batch, shutdown, lost)
                    if len(batch) > SMALL_BATCH:
                        await shutdown.wait(BATCHING_SECONDS)
                await queue.cancel(tag, timeout=TIMEOUT)
                while not arrived.empty():
                    await self._take(_drain(arrived), shutdown, lost)
            finally:
                self._set_up(False)
                lost.cancel()

    def _set_up(self, up: bool) -> None:
        self._up = up
        consumer_up.labels(self.queue.name).set(up)

    async def _next(
        self, arrived: asyncio.Queue[AbstractIncomingMessage], shutdown: Shutdown, lost: asyncio.Future[Any]
    ) -> list[AbstractIncomingMessage]:
        """The messages that are there, at least one; none when the process should end."""
        first = asyncio.ensure_future(arrived.get())
        end = asyncio.ensure_future(shutdown.wait_requested())
        try:
            await asyncio.wait({first, end, lost}, return_when=asyncio.FIRST_COMPLETED)
            if first.done():
                return [first.result(), *_drain(arrived)]
        finally:
            first.cancel()
            end.cancel()
        if lost.done():
            raise ConsumerLost(self.queue.name)
        return []

    async def _take(
        self, messages: Sequence[AbstractIncomingMessage], shutdown: Shutdown, lost: asyncio.Future[Any]
    ) -> None:
        readable = []
        for message in messages:
            try:
                event = self.events.validate_json(message.body)
            except ValidationError as error:
                consumed_total.labels(self.queue.name, "unreadable").inc()
                log.error(
                    "unreadable event", queue=self.queue.name, message_id=message.message_id, errors=error.error_count()
                )
                async with asyncio.timeout(TIMEOUT):
                    await message.reject(requeue=False)
            else:
                readable.append(
                    (
                        message,
                        {
                            "key": str(event.id),
                            "body": message.body,
                            "headers": {"traceparent": valid_traceparent(event.traceparent)},
                        },
                    )
                )
        while readable:
            try:
                async with self.sessions.begin() as session:
                    claimed = await inbox.store_processed(session, self.inbox, [row for _, row in readable])
                    await processor.process(session, self.inbox, claimed, self.handle)
                break
            except Exception as error:
                # The database is away: hold the messages and wait. Giving them back would use up their deliveries.
                if not is_unavailable(error):
                    raise
                log.warning("waiting for the database", queue=self.queue.name, error=type(error).__name__)
                await shutdown.wait(0.5)
                if shutdown.requested or lost.done():
                    raise
        self.outbox_bell.set()
        if readable:
            # They are taken in the order in which they came: the last one's tag stands for all before it.
            async with asyncio.timeout(TIMEOUT):
                await readable[-1][0].ack(multiple=True)
        consumed_total.labels(self.queue.name, "taken").inc(len(readable))


def _drain(arrived: asyncio.Queue[AbstractIncomingMessage]) -> list[AbstractIncomingMessage]:
    found = []
    while not arrived.empty():
        found.append(arrived.get_nowait())
    return found
