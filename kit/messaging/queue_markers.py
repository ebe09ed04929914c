"""Queue markers show whether a queue is still the one to which our events were published.

A confirmed event has left the outbox. If its queue is deleted, or the broker returns without its volume, the event is lost without a trace,
because the consumer or the publisher declares the queue again. So the relay, and only the relay, creates a marker
that disappears together with the queue: `<queue>.marker`, a durable auto-delete exchange with one binding, to the queue. The broker removes
the bindings of a queue together with the queue, and an auto-delete exchange together with its last binding; an empty broker has neither. A
queue without its marker has therefore received none of our events: recent events are published again, and then the marker is created.

- A crash while events are published again: the marker is still missing, so all of them are published again after the restart.
- The queue is deleted between the check and the binding: a marker that was found is bound and not declared, so the binding fails and the
  relay restarts. Later the markers are checked every few seconds, because a consumer may have declared the queue again.
- A crash between declaring the marker and binding it: it is bound after the restart, and nothing was published in between.
- Two relays: only the one that holds the lock does any of this. The very first start: there are no events to publish again.

A queue that was purged, or that came back without its messages, is not noticed; then an operator runs `republish`.
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
"""Older events are not published again automatically. A consumer may be down for this long before events of a lost queue are missing."""

CLOCK_SKEW = timedelta(minutes=5)
"""Events carry the time of the database, whose clock may be ahead of ours."""

queues_lost_total = Counter(
    "outbox_queues_lost_total",
    "Queues found without their marker although there were events to publish again",
    ["queue"],
)
republished_total = Counter("outbox_republished_total", "Events published again because their queue was lost")
log = structlog.get_logger("queue_markers")


async def declare_and_mark(
    shutdown: Shutdown,
    broker: AbstractConnection,
    channel: AbstractChannel,
    queues: Sequence[Queue],
    republish: Republish,
) -> None:
    """Declare the queues with their markers. Before that, write the events that a lost queue may have held to the outbox again.

    If shutdown is requested meanwhile, the markers stay missing, so that this is done at the next start.
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
    """Raise ChannelNotFoundEntity if a marker is missing. The broker closes the channel then."""
    for queue in queues:
        await channel.declare_exchange(queue.marker, passive=True, timeout=TIMEOUT_SECONDS)


async def _is_marked(broker: AbstractConnection, queue: Queue) -> bool:
    async with asyncio.timeout(2 * TIMEOUT_SECONDS):
        # On a channel of its own, because the broker closes a channel on which a passive declaration fails.
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
                log.error("queue lost, publishing its events again", queues=names)
                for name in names:
                    queues_lost_total.labels(name).inc()
            total += count
            republished_total.inc(count)
            if shutdown.requested:
                return
    write = log.warning if total else log.info
    write("events published again", queues=names, events=total, days=LOOK_BACK.days)
