"""Queue markers: notice that a queue was lost with the events that it held, and republish the events.

The relay deletes the events that the broker confirmed. If the queue is deleted, or the broker restarts without its data, the events in the
queue are lost and nothing shows the loss, because the consumer declares the queue again. So the relay, and only the relay, creates a marker
that disappears together with the queue: `<queue>.marker`, a durable auto-delete exchange with one binding, to the queue. The broker removes
the bindings of a queue together with the queue, and an auto-delete exchange together with its last binding. A broker without its data has
no markers at all. A queue without its marker is therefore a new queue, which lacks the events of the lost one. The relay waits until the
consumer has declared the queue, republishes the recent events, and then creates the marker.

- Crash while the relay republishes: the marker is still missing, so the relay republishes all recent events after the restart.
- Queue deleted after the relay found its marker, but before the relay binds the marker: the marker disappeared with the queue, and the
  relay declares only markers that it did not find. So the binding fails and the relay restarts.
- Queue deleted later: the relay checks the markers every few seconds, because a consumer may already have declared the queue again.
- Crash between declaring a marker and binding it: the relay binds it after the restart. No event was published in between.
- Queue lost again and again, or its marker cannot be created: the relay waits before each further republishing, longer each time. Until the
  queue has its marker, the loss is counted and logged once.
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
from prometheus_client import Counter

from contracts.topology import Queue
from kit.messaging.broker import TIMEOUT_SECONDS, exists
from kit.messaging.republish import Republish
from kit.worker.backoff import Backoff
from kit.worker.shutdown import Shutdown

LOOK_BACK = timedelta(days=7)
"""Older events are not published again automatically. If a consumer had been down for longer when its queue was lost, an operator must run
`republish`."""

CLOCK_SKEW = timedelta(minutes=5)
"""Events have the time of the database, whose clock may be ahead of the clock of this process."""

BACKOFF = Backoff(first=1.0, longest=60.0)
STABLE_SECONDS = 300.0
"""If a queue is lost later than this after the last republishing, the backoff starts again with the first pause."""

queues_lost_total = Counter(
    "outbox_queues_lost_total",
    "Queues found without their marker while there were events to republish",
    ["queue"],
)
republished_total = Counter("outbox_republished_total", "Events added to the outbox again because their queue was lost")
log = structlog.get_logger("queue_markers")


class QueueMarkers:
    """The markers of the queues to which one relay publishes."""

    def __init__(self, queues: Sequence[Queue], republish: Republish) -> None:
        self.queues = queues
        self.republish = republish
        self._lost: set[Queue] = set()
        self._attempts = 0
        self._attempted_at = 0.0

    async def are_queues_declared(self, broker: AbstractConnection) -> bool:
        """Return False while the consumer of a queue has not declared it."""
        return all([await exists(broker, queue=queue.name) for queue in self.queues])

    async def restore(self, shutdown: Shutdown, broker: AbstractConnection, channel: AbstractChannel) -> None:
        """Republish the recent events of queues without a marker, then create the missing markers.

        If shutdown is requested before the end, the markers are not created, so that the next start republishes the events. Raises
        ChannelNotFoundEntity if a queue does not exist.
        """
        unmarked = [queue for queue in self.queues if not await exists(broker, exchange=queue.marker)]
        if unmarked:
            await self._republish(shutdown, unmarked)
        if shutdown.requested:
            return
        for queue in self.queues:
            if queue in unmarked:
                await channel.declare_exchange(
                    queue.marker,
                    ExchangeType.FANOUT,
                    durable=True,
                    auto_delete=True,
                    internal=True,
                    timeout=TIMEOUT_SECONDS,
                )
            declared = await channel.get_queue(queue.name, ensure=False)
            await declared.bind(queue.marker, timeout=TIMEOUT_SECONDS)
        self._lost.clear()

    async def check(self, channel: AbstractChannel) -> None:
        """Raise ChannelNotFoundEntity if a marker is missing. The broker also closes the channel."""
        for queue in self.queues:
            await channel.declare_exchange(queue.marker, passive=True, timeout=TIMEOUT_SECONDS)

    async def _republish(self, shutdown: Shutdown, queues: Sequence[Queue]) -> None:
        await self._pause(shutdown)
        until = datetime.now(UTC) + CLOCK_SKEW
        total = 0
        async with aclosing(self.republish(until - LOOK_BACK, until)) as batches:
            async for count in batches:
                if count:
                    self._count_lost(queues)
                total += count
                republished_total.inc(count)
                if shutdown.requested:
                    return
        if total:
            log.warning(
                "events republished", queues=[queue.name for queue in queues], events=total, days=LOOK_BACK.days
            )

    async def _pause(self, shutdown: Shutdown) -> None:
        """Wait before republishing again: longer after each time, because all events of LOOK_BACK are read and published."""
        clock = asyncio.get_running_loop().time
        if self._attempts and clock() - self._attempted_at > STABLE_SECONDS:
            self._attempts = 0
        if self._attempts:
            await shutdown.wait(BACKOFF.seconds(self._attempts - 1))
        self._attempts += 1
        self._attempted_at = clock()

    def _count_lost(self, queues: Sequence[Queue]) -> None:
        new = [queue for queue in queues if queue not in self._lost]
        self._lost.update(new)
        for queue in new:
            log.error("queue lost", queue=queue.name)
            queues_lost_total.labels(queue.name).inc()
