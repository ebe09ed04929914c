"""Whether a queue is still the one that we told our events to.

An event that was confirmed has left the outbox. When the queue that holds it is deleted, or the broker comes back without its volume,
it is gone, and nobody would find out: whoever needs the queue next declares it anew, be it the consumer or we. So the relay, and only
the relay, puts a mark on the broker that goes with the queue: `<queue>.marker`, a durable exchange that deletes itself, with one binding,
to the queue. The broker removes a queue's bindings together with it, and such an exchange with its last binding; an empty broker has
neither. A queue without its mark is therefore none that we told anything: what happened of late is told again, and then it is marked.

- A crash in the middle of telling again: the mark is missing still, and all of it is told again at the next start.
- The queue is deleted between the look and the binding: a mark that was found is bound and never declared, so binding fails, and the
  relay begins again. Afterwards the mark is looked for every few seconds: a consumer may have declared the queue anew meanwhile.
- A crash between declaring the mark and binding it: it is bound at the next start, and nothing was published in between.
- Two relays: the one that has the lock does all of it. The very first start: there is nothing to tell.

Nobody notices a queue that was purged, or that came back without its log; then an operator tells again (republishing.py).
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
from kit.messaging.broker import TIMEOUT, declare_queue
from kit.messaging.republish import Republish
from kit.worker.shutdown import Shutdown

LOOK_BACK = timedelta(days=7)
"""What happened longer ago is not told again by itself: for this long a consumer may be down while its queue is lost."""

CLOCK_SKEW = timedelta(minutes=5)
"""What happened is dated by the database, whose clock may be ahead of ours."""

queues_lost_total = Counter(
    "outbox_queues_lost_total", "Queues found without our mark though there was something to tell", ["queue"]
)
republished_total = Counter("outbox_republished_total", "Events told again because their queue was lost")
log = structlog.get_logger("marks")


async def declare_and_mark(
    shutdown: Shutdown,
    broker: AbstractConnection,
    channel: AbstractChannel,
    queues: Sequence[Queue],
    republish: Republish,
) -> None:
    """Declare and mark the queues; what may have been lost with one of them is in the outbox before. Where `life` ends, it is due still."""
    unmarked = [queue for queue in queues if not await _is_marked(broker, queue)]
    if unmarked:
        await _republish(shutdown, unmarked, republish)
    if shutdown.requested:
        return
    for queue in queues:
        declared = await declare_queue(channel, queue)
        if queue in unmarked:
            await channel.declare_exchange(
                queue.marker, ExchangeType.FANOUT, durable=True, auto_delete=True, internal=True, timeout=TIMEOUT
            )
        await declared.bind(queue.marker, timeout=TIMEOUT)


async def check_markers(channel: AbstractChannel, queues: Sequence[Queue]) -> None:
    """Raises ChannelNotFoundEntity where a mark has gone; the channel is closed then."""
    for queue in queues:
        await channel.declare_exchange(queue.marker, passive=True, timeout=TIMEOUT)


async def _is_marked(broker: AbstractConnection, queue: Queue) -> bool:
    async with asyncio.timeout(2 * TIMEOUT):
        # Of its own: the broker closes a channel on which something is missing.
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
                log.error("events may be lost: a queue is not the one that we told them to", queues=names)
                for name in names:
                    queues_lost_total.labels(name).inc()
            total += count
            republished_total.inc(count)
            if shutdown.requested:
                return
    log.log(30 if total else 20, "told again", queues=names, events=total, days=LOOK_BACK.days)
