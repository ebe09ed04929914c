"""The consumer: an event is stored in the inbox and processed in one transaction, and only then acknowledged."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar, cast
from uuid import UUID

import structlog
from aio_pika.abc import AbstractChannel
from aiormq.abc import AbstractChannel as UnderlayChannel
from aiormq.abc import DeliveredMessage
from prometheus_client import Counter, Gauge
from pydantic import SecretStr, TypeAdapter, ValidationError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from contracts.events import Event
from contracts.topology import Queue
from kit.db.errors import is_contention, may_succeed_later
from kit.log_throttling import log_failure
from kit.messaging import inbox, outbox, processor
from kit.messaging.broker import TIMEOUT_SECONDS, bind_queue, connect, declare_queue
from kit.messaging.inbox import Entry, InboxEntry, Message
from kit.messaging.notifier import Notifier
from kit.messaging.processor import BATCHING_SECONDS, SMALL_BATCH, BatchResult
from kit.observability.tracing import valid_traceparent
from kit.worker.backoff import Backoff
from kit.worker.shutdown import Shutdown

PREFETCH = 200
BINDING_CHECK_SECONDS = 5.0
DATABASE_BACKOFF = Backoff(first=0.5, longest=2.0)

consumer_up = Gauge("consumer_up", "1 while the consumer receives messages", ["queue"])
consumed_total = Counter(
    "consumed_total",
    "Messages by result: `taken` into the inbox, or `unreadable` and rejected",
    ["queue", "result"],
)
log = structlog.get_logger("consumer")

E = TypeVar("E", bound=Event)
EventHandler = Callable[[AsyncSession, Sequence[E]], Awaitable[Mapping[UUID, str]]]
"""Processes events in the given transaction. See `kit.messaging.processor.Handler`.

Returns reasons by event id, for events that need an operator because they contradict what this service knows. Such an event must have
changed nothing.
"""


class ConsumerLost(Exception):
    """The broker cancelled the consumer (the queue was deleted), or the channel was closed."""


class _Received(NamedTuple, Generic[E]):
    message: DeliveredMessage
    event: E


class Consumer(Generic[E]):
    """Background job: consumes one queue into one inbox table.

    A message that is not a valid event is rejected and becomes a dead letter. An event whose processing fails stays in the inbox, and a
    Processor with the handler `handle_entries` retries it.

    `topics`: those to notify after each batch, because its events may create work for other jobs.
    """

    def __init__(
        self,
        sessions: async_sessionmaker[AsyncSession],
        inbox: type[InboxEntry],
        amqp_url: SecretStr,
        queue: Queue,
        events: TypeAdapter[E],
        handler: EventHandler[E],
        notifier: Notifier,
        *,
        topics: frozenset[str] = frozenset(),
    ) -> None:
        self.sessions = sessions
        self.inbox = inbox
        self.amqp_url = amqp_url
        self.queue = queue
        self.events = events
        self.handler = handler
        self.notifier = notifier
        self.topics = topics
        self._receiving = False

    async def check(self) -> str | None:
        """Return None while the broker delivers messages to this consumer, else the reason (a readiness check)."""
        return None if self._receiving else f"not consuming {self.queue.name}"

    async def handle_entries(self, session: AsyncSession, entries: Sequence[Entry]) -> BatchResult:
        """Process inbox entries. This is the handler of the Processor that retries them."""
        return await self._run_handler(session, {entry.id: self.events.validate_json(entry.body) for entry in entries})

    async def run(self, shutdown: Shutdown) -> None:
        """Consume until shutdown is requested. Raises when the connection or the queue is lost."""
        arrived: asyncio.Queue[DeliveredMessage] = asyncio.Queue()  # its size is limited by the prefetch count
        async with connect(self.amqp_url, f"{self.queue.name}-consumer") as connection:
            channel = await connection.channel()
            await channel.set_qos(prefetch_count=PREFETCH, timeout=TIMEOUT_SECONDS)
            await declare_queue(connection, channel, self.queue)
            # aio-pika starts one more task for each message to build its object, a quarter of the cost of receiving it. So use the channel
            # below it.
            underlay = await channel.get_underlay_channel()
            tag = f"{self.queue.name}-consumer"
            watch = asyncio.create_task(self._watch(channel, await connection.channel()))

            def on_cancel(*_: object) -> None:
                watch.cancel()  # ending the watch ends the consumer

            underlay.on_consumer_cancel_callbacks.add(on_cancel)
            try:
                await underlay.basic_consume(self.queue.name, arrived.put, consumer_tag=tag, timeout=TIMEOUT_SECONDS)
                log.info("consumer started", queue=self.queue.name)
                self._set_receiving(True)
                while batch := await self._next_batch(arrived, shutdown, watch):
                    await self._process_and_acknowledge(underlay, batch, shutdown, watch)
                    if len(batch) > SMALL_BATCH:
                        await shutdown.wait(BATCHING_SECONDS)
                await underlay.basic_cancel(tag, timeout=TIMEOUT_SECONDS)
                while not arrived.empty():
                    await self._process_and_acknowledge(underlay, _drain(arrived), shutdown, watch)
            finally:
                self._set_receiving(False)
                watch.cancel()
                await asyncio.gather(watch, return_exceptions=True)

    async def _watch(self, channel: AbstractChannel, second_channel: AbstractChannel) -> None:
        """Return when the channel is closed.

        Bind the queue to the event exchange again every few seconds: if this binding is lost, no other service has permission to restore
        it. Raises if an exchange or the queue is missing.
        """
        closed = asyncio.ensure_future(channel.closed())
        try:
            while not (await asyncio.wait({closed}, timeout=BINDING_CHECK_SECONDS))[0]:
                await bind_queue(second_channel, self.queue)
        finally:
            closed.cancel()

    def _set_receiving(self, receiving: bool) -> None:
        self._receiving = receiving
        consumer_up.labels(self.queue.name).set(receiving)

    async def _next_batch(
        self, arrived: asyncio.Queue[DeliveredMessage], shutdown: Shutdown, watch: asyncio.Future[Any]
    ) -> list[DeliveredMessage]:
        """Wait for a message and return all messages that have arrived. Return an empty list if shutdown is requested."""
        first = asyncio.ensure_future(arrived.get())
        end = asyncio.ensure_future(shutdown.wait_requested())
        try:
            await asyncio.wait({first, end, watch}, return_when=asyncio.FIRST_COMPLETED)
            if first.done():
                return [first.result(), *_drain(arrived)]
        finally:
            first.cancel()
            end.cancel()
        if watch.done():
            raise ConsumerLost(self.queue.name) from (None if watch.cancelled() else watch.exception())
        return []

    async def _process_and_acknowledge(
        self,
        channel: UnderlayChannel,
        messages: Sequence[DeliveredMessage],
        shutdown: Shutdown,
        watch: asyncio.Future[Any],
    ) -> None:
        """Process a batch of messages and acknowledge them."""
        received = [parsed for message in messages if (parsed := await self._parse(channel, message)) is not None]
        if received:
            topics = await self._store_and_process(received, shutdown, watch)
            self.notifier.wake_local(outbox.TOPIC)
            if topics:
                self.notifier.notify(*topics)
            # The messages are in the order of delivery, so acknowledging the last one with `multiple` acknowledges all of them.
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await channel.basic_ack(_delivery_tag(received[-1].message), multiple=True)
        consumed_total.labels(self.queue.name, "taken").inc(len(received))

    async def _parse(self, channel: UnderlayChannel, message: DeliveredMessage) -> _Received[E] | None:
        try:
            return _Received(message, self.events.validate_json(message.body))
        except ValidationError as error:
            consumed_total.labels(self.queue.name, "unreadable").inc()
            log.error(
                "event unreadable",
                queue=self.queue.name,
                message_id=message.header.properties.message_id,
                errors=error.error_count(),
            )
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await channel.basic_reject(_delivery_tag(message), requeue=False)
            return None

    async def _store_and_process(
        self, received: Sequence[_Received[E]], shutdown: Shutdown, watch: asyncio.Future[Any]
    ) -> frozenset[str]:
        """Store and process events in one transaction. Return the topics to notify."""
        events = {str(event.id): event for _, event in received}
        messages = [
            Message(str(event.id), message.body, {"traceparent": valid_traceparent(event.traceparent)})
            for message, event in received
        ]
        failures = 0
        while True:
            try:
                async with self.sessions.begin() as session:
                    entries = await inbox.store_processed(session, self.inbox, messages)
                    return await processor.process(session, self.inbox, entries, self._handler_for(events))
            except Exception as error:
                # While the database is unavailable, keep the messages and wait. Requeueing them would count as redeliveries.
                if not may_succeed_later(error):
                    raise
                message = "database contention" if is_contention(error) else "database unavailable"
                log_failure(log.warning, message, error, about=self.queue.name, queue=self.queue.name)
                await shutdown.wait(DATABASE_BACKOFF.seconds(failures))
                failures += 1
                if shutdown.requested or watch.done():
                    raise

    def _handler_for(self, events: Mapping[str, E]) -> processor.Handler:
        """Return a handler that uses these parsed events, by entry key, instead of parsing the entries again."""

        async def handle(session: AsyncSession, entries: Sequence[Entry]) -> BatchResult:
            return await self._run_handler(session, {entry.id: events[entry.key] for entry in entries})

        return handle

    async def _run_handler(self, session: AsyncSession, events: Mapping[int, E]) -> BatchResult:
        """Run the handler with events by entry id."""
        contradictions = await self.handler(session, list(events.values()))
        failed = (
            {entry: contradictions[event.id] for entry, event in events.items() if event.id in contradictions}
            if contradictions
            else {}
        )
        return BatchResult(failed=failed, topics=self.topics)


def _delivery_tag(message: DeliveredMessage) -> int:
    return cast(int, message.delivery_tag)  # only messages that were returned to their publisher have none


def _drain(arrived: asyncio.Queue[DeliveredMessage]) -> list[DeliveredMessage]:
    messages = []
    while not arrived.empty():
        messages.append(arrived.get_nowait())
    return messages
