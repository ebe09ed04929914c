"""The relay: publishes outbox rows in id order and deletes what the broker confirmed."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, cast
from uuid import UUID

import aio_pika
import structlog
from aio_pika.exceptions import DeliveryError
from aiormq.channel import Channel as UnderlayChannel
from prometheus_client import Counter, Gauge
from pydantic import SecretStr
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Delete,
    Select,
    Table,
    any_,
    bindparam,
    delete,
    func,
    select,
    text,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from contracts.events import CONTENT_TYPE
from contracts.topology import EXCHANGE, Queue
from kit.db.bulk import table_of
from kit.messaging import queue_markers
from kit.messaging.broker import TIMEOUT, connect, declare_exchange
from kit.messaging.outbox import OutboxEvent, backlog
from kit.messaging.republish import Republish
from kit.worker.shutdown import Shutdown

log = structlog.get_logger("outbox")


WINDOW = 100


POLL_SECONDS = 1.0


MEASURE_SECONDS = 1.0


CHECK_SECONDS = 5.0


PUBLISH_SECONDS = 10.0


LOCK = 0x4F55_5442  # "OUTB": one relay at a time in a database


published_total = Counter("outbox_published_total", "Events that left", ["result"])


pending_events = Gauge("outbox_pending", "Events not yet confirmed by the broker")


oldest_seconds = Gauge("outbox_oldest_age_seconds", "Age of the oldest of them")


relay_active = Gauge("outbox_relay_active", "1 where this process relays, 0 where it stands by")


@cache
def _due(outbox: Table) -> Select[Any]:
    c = outbox.c
    waiting = select(c.id, c.event_id, c.type, c.body).where(c.next_attempt_at <= func.now())
    return waiting.order_by(c.id).limit(WINDOW)


@cache
def _delete_confirmed(outbox: Table) -> Delete:
    return delete(outbox).where(outbox.c.id == any_(bindparam("ids", type_=ARRAY(BigInteger))))


class Relay:
    """Takes what is in the outbox in order of id, publishes it in windows, and deletes what the broker confirmed.

    One relay of a database is active at a time, under a session's advisory lock; every statement of the relay runs on that same
    session, so a relay that lost its lock can delete nothing. The others stand by.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        outbox: type[OutboxEvent],
        amqp_url: SecretStr,
        queues: Sequence[Queue],
        republish: Republish,
    ) -> None:
        self.engine = engine
        self.outbox = outbox
        self.amqp_url = amqp_url
        self.queues = queues
        self.republish = republish
        """Tells again what happened, when a queue was lost with what it held (marks.py)."""
        self.bell = asyncio.Event()
        """Ring it when something was put into the outbox, after the commit."""

    async def run(self, shutdown: Shutdown) -> None:
        async with self.engine.connect() as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            while not (await connection.execute(select(func.pg_try_advisory_lock(LOCK)))).scalar():
                relay_active.set(0)
                await shutdown.wait(1)
                if shutdown.requested:
                    return
            try:
                relay_active.set(1)
                await self._relay(shutdown, connection)
            finally:
                relay_active.set(0)
                # The lock is of the session: it must not go back into the pool with it.
                await connection.invalidate()

    async def _relay(self, shutdown: Shutdown, database: AsyncConnection) -> None:
        name = f"{self.engine.url.database}-relay"
        async with connect(self.amqp_url, name) as broker:
            channel = await broker.channel(publisher_confirms=True, on_return_raises=True)
            await declare_exchange(channel)
            await queue_markers.declare_and_mark(shutdown, broker, channel, self.queues, self.republish)
            underlay = cast(UnderlayChannel, await channel.get_underlay_channel())
            log.info("relaying")
            clock = asyncio.get_running_loop().time
            measured, looked = -MEASURE_SECONDS, clock()
            while not shutdown.requested:
                if clock() - looked > CHECK_SECONDS:
                    await queue_markers.check_markers(channel, self.queues)
                    looked = clock()
                if not await self._window(database, underlay):
                    if clock() - measured > MEASURE_SECONDS:
                        await self._measure(database)
                        measured = clock()
                    await shutdown.wait(POLL_SECONDS, self.bell)

    async def _window(self, database: AsyncConnection, channel: UnderlayChannel) -> bool:
        """Publish one window. Whether there may be more."""
        outbox = self.outbox
        rows = (await database.execute(_due(table_of(outbox)))).all()
        if not rows:
            return False
        async with asyncio.timeout(PUBLISH_SECONDS + TIMEOUT):
            results = await asyncio.gather(
                *(self._publish(channel, row.event_id, row.type, row.body) for row in rows), return_exceptions=True
            )
        confirmed = [row.id for row, result in zip(rows, results, strict=True) if result is None]
        refused = [row.id for row, result in zip(rows, results, strict=True) if isinstance(result, DeliveryError)]
        if confirmed:
            await database.execute(_delete_confirmed(table_of(outbox)), {"ids": confirmed})
            published_total.labels("confirmed").inc(len(confirmed))
        if refused:
            # No queue took it, or the queue is full: keep it, say so, and let the others pass. Starting again declares the queues anew.
            published_total.labels("refused").inc(len(refused))
            pause = text("least(30, 0.5 * power(2, least(attempts, 10))) * interval '1 second'")
            await database.execute(
                update(outbox)
                .where(outbox.id.in_(refused))
                .values(attempts=outbox.attempts + 1, error="no queue took it", next_attempt_at=func.now() + pause)
            )
        for result in results:
            if isinstance(result, BaseException):
                published_total.labels("failed").inc()
                raise result
        return len(rows) == WINDOW

    async def _publish(self, channel: UnderlayChannel, event_id: UUID, kind: str, body: bytes) -> None:
        message = aio_pika.Message(
            body,
            message_id=str(event_id),
            type=kind,
            content_type=CONTENT_TYPE,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            timestamp=datetime.now(UTC),
        )
        # As Exchange.publish does, but for `wait`: there each message waits for its own write to the socket before the next may follow.
        await channel.basic_publish(
            message.body,
            exchange=EXCHANGE,
            routing_key=kind,
            properties=message.properties,
            mandatory=True,
            timeout=PUBLISH_SECONDS,
            wait=False,
        )

    async def _measure(self, database: AsyncConnection) -> None:
        count, age = (await database.execute(backlog(self.outbox))).one()
        pending_events.set(count)
        oldest_seconds.set(age)
