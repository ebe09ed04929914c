"""The relay: publishes the events of the outbox in id order and deletes those that the broker confirmed."""

import asyncio
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import cast
from uuid import UUID

import aio_pika
import structlog
from aio_pika.exceptions import DeliveryError
from aiormq import spec
from aiormq.channel import Channel as UnderlayChannel
from prometheus_client import Counter
from pydantic import SecretStr
from sqlalchemy import ARRAY, BigInteger, Delete, Select, Table, any_, bindparam, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from contracts.events import CONTENT_TYPE
from contracts.topology import EXCHANGE, Queue
from kit.db.bulk import table_of
from kit.messaging.broker import TIMEOUT_SECONDS, connect, declare_exchange
from kit.messaging.notifier import Notifier
from kit.messaging.outbox import TOPIC, OutboxEvent
from kit.messaging.queue_markers import QueueMarkers
from kit.messaging.republish import Republish
from kit.observability.measured_gauge import MeasuredGauge
from kit.observability.tracing import trace_id_of
from kit.worker.backoff import Backoff
from kit.worker.shutdown import Shutdown

WINDOW = 100
"""The maximum number of events that are published together. The next window begins after all of them are confirmed or refused."""

POLL_SECONDS = 1.0
MARKER_CHECK_SECONDS = 5.0
STANDBY_SECONDS = 1.0
PUBLISH_TIMEOUT_SECONDS = 10.0
REFUSED_BACKOFF = Backoff(first=0.5, longest=30.0)
MISSING_QUEUE_BACKOFF = Backoff(first=0.1, longest=5.0)

LOCK = 0x4F55_5442  # the bytes of "OUTB"
"""The advisory lock of the active relay of a database."""

published_total = Counter("outbox_published_total", "Attempts to publish an event, by result", ["result"])
relay_active = MeasuredGauge("outbox_relay_active", "1 in the process whose relay is active, 0 in the others")
log = structlog.get_logger("outbox")


@cache
def _select_due(outbox: Table) -> Select[int, UUID, str, bytes]:
    c = outbox.c
    due = select(c.id, c.event_id, c.type, c.body).where(c.next_attempt_at <= func.now())
    return due.order_by(c.id).limit(WINDOW)


@cache
def _delete_confirmed(outbox: Table) -> Delete:
    return delete(outbox).where(outbox.c.id == any_(bindparam("ids", type_=ARRAY(BigInteger))))


def _log_published(bodies: Iterable[bytes]) -> None:
    """Log one line for each event that is confirmed and deleted from the outbox, with the trace of its cause."""
    for body in bodies:
        event = json.loads(body)
        data = event["data"]
        log.info(
            "event published",
            event_type=event["type"],
            order_id=data.get("order_id"),
            reference=data.get("reference"),
            event_id=event["id"],
            trace_id=trace_id_of(event.get("traceparent")),
        )


class Relay:
    """Background job: publishes the outbox in id order, one window at a time, and deletes the events that the broker confirmed.

    Each database has one active relay, which has a session-level advisory lock. It runs all statements on the session of the lock, so a
    relay that lost its lock cannot delete rows. The other relays wait for the lock.

    `republish` adds recent events to the outbox again if a queue was lost (queue_markers.py).
    """

    def __init__(
        self,
        engine: AsyncEngine,
        outbox: type[OutboxEvent],
        amqp_url: SecretStr,
        queues: Sequence[Queue],
        republish: Republish,
        notifier: Notifier,
    ) -> None:
        self.engine = engine
        self.outbox = outbox
        self.amqp_url = amqp_url
        self.markers = QueueMarkers(queues, republish)
        self.wakeup = notifier.subscribe(TOPIC)

    async def run(self, shutdown: Shutdown) -> None:
        """Wait for the lock, then publish until shutdown is requested. Raises if the broker or the database is unavailable."""
        async with self.engine.connect() as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            while not (await connection.execute(select(func.pg_try_advisory_lock(LOCK)))).scalar():
                relay_active.set(0)
                await shutdown.wait(STANDBY_SECONDS)
                if shutdown.requested:
                    return
            try:
                waits = 0
                while not shutdown.requested and not await self._relay(shutdown, connection):
                    relay_active.set(1)
                    if waits == 0:
                        log.info("waiting until the consumers have declared their queues")
                    await shutdown.wait(MISSING_QUEUE_BACKOFF.seconds(waits))
                    waits += 1
            finally:
                relay_active.set(0)
                # The lock belongs to the session, so the connection must not be returned to the pool.
                await connection.invalidate()

    async def _relay(self, shutdown: Shutdown, database: AsyncConnection) -> bool:
        """Publish until shutdown is requested. Return False if a consumer has not declared its queue yet."""
        name = f"{self.engine.url.database}-relay"
        async with connect(self.amqp_url, name) as broker:
            await declare_exchange(broker)
            if not await self.markers.are_queues_declared(broker):
                return False
            channel = await broker.channel(publisher_confirms=True, on_return_raises=True)
            await self.markers.restore(shutdown, broker, channel)
            underlay = cast(UnderlayChannel, await channel.get_underlay_channel())
            log.info("relay started")
            clock = asyncio.get_running_loop().time
            checked_at = clock()
            while not shutdown.requested:
                if clock() - checked_at > MARKER_CHECK_SECONDS:
                    await self.markers.check(channel)
                    checked_at = clock()
                relay_active.set(1)
                if not await self._publish_window(database, underlay):
                    await shutdown.wait(POLL_SECONDS, self.wakeup)
            return True

    async def _publish_window(self, database: AsyncConnection, channel: UnderlayChannel) -> bool:
        """Publish one window. Return True if there may be more due events."""
        outbox = self.outbox
        rows = (await database.execute(_select_due(table_of(outbox)))).all()
        if not rows:
            return False
        async with asyncio.timeout(PUBLISH_TIMEOUT_SECONDS + TIMEOUT_SECONDS):
            results = await asyncio.gather(
                *(self._publish(channel, row.event_id, row.type, row.body) for row in rows), return_exceptions=True
            )
        confirmed = [row.id for row, result in zip(rows, results, strict=True) if result is None]
        refused = [row.id for row, result in zip(rows, results, strict=True) if isinstance(result, DeliveryError)]
        published_total.labels("failed").inc(len(rows) - len(confirmed) - len(refused))
        if confirmed:
            await database.execute(_delete_confirmed(table_of(outbox)), {"ids": confirmed})
            published_total.labels("confirmed").inc(len(confirmed))
            confirmed_ids = set(confirmed)
            _log_published(row.body for row in rows if row.id in confirmed_ids)
        if refused:
            # No queue is bound for the event, or its queue is full: try again later, and publish the other events. The error that is
            # raised below restarts the relay, which checks the queues and their markers.
            published_total.labels("refused").inc(len(refused))
            later = func.now() + REFUSED_BACKOFF.interval(outbox.attempts)
            await database.execute(
                update(outbox)
                .where(outbox.id.in_(refused))
                .values(attempts=outbox.attempts + 1, error="no queue accepted the event", next_attempt_at=later)
            )
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return len(rows) == WINDOW

    async def _publish(self, channel: UnderlayChannel, event_id: UUID, event_type: str, body: bytes) -> None:
        properties = spec.Basic.Properties(
            message_id=str(event_id),
            message_type=event_type,
            content_type=CONTENT_TYPE,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            timestamp=datetime.now(UTC),
        )
        # Like Exchange.publish, but with wait=False. Otherwise each message waits until the previous message is written to the socket.
        await channel.basic_publish(
            body,
            exchange=EXCHANGE,
            routing_key=event_type,
            properties=properties,
            mandatory=True,
            timeout=PUBLISH_TIMEOUT_SECONDS,
            wait=False,
        )
