"""Read rows by key for many requests: the requests that arrive while a query runs share the next query."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

BATCH = 100
QUERY_SECONDS = 2.5
"""The time limit of a query. A request waits at most for the rest of the query that runs, for its own, and, if more than
BATCH keys wait, for the queries of those before it."""


class BatchedReads(Generic[K, V]):
    """Reads rows by their keys, with one query at a time.

    A query begins after its requests have arrived, so no response is older than its request. The requests that wait are limited by
    kit.http.request_limit. `read` returns the rows that it finds, by their keys.
    """

    def __init__(self, read: Callable[[Collection[K]], Awaitable[Mapping[K, V]]]) -> None:
        self._read = read
        self._waiting: dict[K, list[asyncio.Future[V | None]]] = {}
        self._reading: asyncio.Task[None] | None = None

    async def get(self, key: K) -> V | None:
        """Return the row with this key, or None. Raises the errors of `read`, and TimeoutError."""
        found: asyncio.Future[V | None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, []).append(found)
        if self._reading is None:
            self._reading = asyncio.create_task(self._read_all())
        return await found

    async def _read_all(self) -> None:
        batch: dict[K, list[asyncio.Future[V | None]]] = {}
        try:
            while self._waiting:
                batch = self._take_batch()
                try:
                    async with asyncio.timeout(QUERY_SECONDS):
                        rows = await self._read(batch.keys())
                except Exception as error:
                    for _, future in _unfinished(batch):
                        future.set_exception(error)
                else:
                    for key, future in _unfinished(batch):
                        future.set_result(rows.get(key))
        finally:
            self._reading = None
            # Only if the task was cancelled, because the process ends.
            for _, future in (*_unfinished(batch), *_unfinished(self._waiting)):
                future.cancel()
            self._waiting = {}

    def _take_batch(self) -> dict[K, list[asyncio.Future[V | None]]]:
        if len(self._waiting) <= BATCH:
            taken, self._waiting = self._waiting, {}
            return taken
        return {key: self._waiting.pop(key) for key in list(self._waiting)[:BATCH]}


def _unfinished(batch: Mapping[K, list[asyncio.Future[V | None]]]) -> Iterator[tuple[K, asyncio.Future[V | None]]]:
    """Yield the futures whose requests still wait."""
    return ((key, future) for key, futures in batch.items() for future in futures if not future.done())
