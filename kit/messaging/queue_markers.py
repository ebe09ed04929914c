"""Queue markers show whether a queue is still the queue to which our events were published.

A confirmed event has left the outbox. If its queue is deleted, or the broker restarts without its data, the event is lost and nothing shows
the loss, because the consumer or the publisher declares the queue again. So the relay, and only the relay, creates a marker that disappears
together with the queue: `<queue>.marker`, a durable auto-delete exchange with one binding, to the queue. The broker removes the bindings of
a queue together with the queue, and an auto-delete exchange together with its last binding. A broker without its data has no markers at
all. A queue without its marker is therefore a new queue, which lacks the events of the lost one. The relay republishes the recent events
and then creates the marker.

- Crash while the relay republishes: the marker is still missing, so the relay republishes all recent events after the restart.
- Queue deleted after the relay found its marker, but before the relay binds the marker: the marker disappeared with the queue, and the
  relay declares only markers that it did not find. So the binding fails and the relay restarts.
- Queue deleted later: the relay checks the markers every few seconds, because a consumer may already have declared the queue again.
- Crash between declaring a marker and binding it: the relay binds it after the restart. No event was published in between.
- Two relays: only the relay with the advisory lock checks and creates markers.
- First start: there are no events to republish.

If a queue is purged, or restored without its messages, its marker exists and nothing is republished. An operator must run `republish`.
"""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

import structlog
from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import ChannelNotFoundEntity
from prometheus_client import Counter

from contracts.topology import Queue
from kit.messaging.broker import TIMEOUT_SECONDS, declare_queue
from kit.messaging.republish import Republish
from kit.worker.shutdown import Shutdown

LOOK_BACK = timedelta(days=7)
"""Older events are not published again automatically. If a consumer had been down for longer when its queue was lost, an operator must run
`republish`."""

CLOCK_SKEW = timedelta(minutes=5)
"""Events have the time of the database, whose clock may be ahead of the clock of this process."""

queues_lost_total = Counter(
    "outbox_queues_lost_total",
    "Queues found without their marker while there were events to republish",
    ["queue"],
)
republished_total = Counter("outbox_republished_total", "Events republished because their queue was lost")
log = structlog.get_logger("queue_markers")


async def declare_and_mark(
    shutdown: Shutdown,
    broker: AbstractConnection,
    channel: AbstractChannel,
    queues: Sequence[Queue],
    republish: Republish,
) -> None:
    """Republish the recent events of queues without a marker, then declare all queues with their markers.

    If shutdown is requested before the end, the markers are not created, so that the next start republishes the events.
    """
    unmarked = [queue for queue in queues if not await _is_marked(broker, queue)]
    if unmarked:
        await _republish(shutdown, unmarked, republish)
    if shutdown.requested:
        return
    for queue in queues:
        declared = await declare_queue(channel, queue)
        if queue in unmarked:
            await channel.declare_exchange(
                queue.marker,
                ExchangeType.FANOUT,
                durable=True,
                auto_delete=True,
                internal=True,
                timeout=TIMEOUT_SECONDS,
            )
        await declared.bind(queue.marker, timeout=TIMEOUT_SECONDS)


async def check_markers(channel: AbstractChannel, queues: Sequence[Queue]) -> None:
    """Raise ChannelNotFoundEntity if a marker is missing. The broker also closes the channel."""
    for queue in queues:
        await channel.declare_exchange(queue.marker, passive=True, timeout=TIMEOUT_SECONDS)


async def _is_marked(broker: AbstractConnection, queue: Queue) -> bool:
    async with asyncio.timeout(2 * TIMEOUT_SECONDS):
        # Use a separate channel, because the broker closes the channel if a passive declaration fails.
        async with broker.channel() as channel:
            try:
                await check_markers(channel, [queue])
            except ChannelNotFoundEntity:
                return False
    return True


async def _republish(shutdown: Shutdown, queues: Sequence[Queue], republish: Republish) -> None:
    until = datetime.now(UTC) + CLOCK_SKEW
    names = [queue.name for queue in queues]
    total = 0
    async with aclosing(republish(until - LOOK_BACK, until)) as batches:
        async for count in batches:
            if total == 0:
                log.error("queue lost", queues=names)
                for name in names:
                    queues_lost_total.labels(name).inc()
            total += count
            republished_total.inc(count)
            if shutdown.requested:
                return
    log_message = log.warning if total else log.info
    log_message("events republished", queues=names, events=total, days=LOOK_BACK.days)
