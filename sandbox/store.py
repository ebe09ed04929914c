"""One SQLite file behind one thread: the event loop never blocks, and writes that arrive together share a commit."""

import asyncio
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from sandbox.schema import bring_up_to_date

T = TypeVar("T")
Job = Callable[[sqlite3.Connection], T]

MEMORY = ":memory:"
BATCH = 256
TIMEOUT = 30.0
"""Seconds that a caller waits for its job."""


def now() -> int:
    """Milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000


class Store:
    """Jobs run in order, each in a savepoint of its own; an answer is given only after the commit.

    The queue holds one job a waiting request, so the server's limit on connections bounds it.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._jobs: queue.SimpleQueue[tuple[Job[Any], asyncio.Future[Any]] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        opened: asyncio.Future[None] = loop.create_future()
        self._thread = threading.Thread(target=self._work, args=(loop, opened), name="sandbox-store", daemon=True)
        self._thread.start()
        async with asyncio.timeout(TIMEOUT):
            await opened

    async def close(self) -> None:
        if self._thread is not None:
            self._jobs.put(None)
            await asyncio.to_thread(self._thread.join, TIMEOUT)
            self._thread = None

    async def run(self, job: Job[T]) -> T:
        """Run `job` in the store's thread. Errors: whatever the job raises, and TimeoutError."""
        if self._thread is None:
            raise RuntimeError("the store is closed")
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._jobs.put((job, answer))
        async with asyncio.timeout(TIMEOUT):
            return await answer

    def _connect(self) -> sqlite3.Connection:
        if self._path != MEMORY:
            Path(self._path).parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self._path, timeout=5, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        # The page cache outlives a killed process; only a machine that loses power could lose a commit.
        connection.execute("PRAGMA synchronous = OFF")
        bring_up_to_date(connection, now())
        return connection

    def _work(self, loop: asyncio.AbstractEventLoop, opened: asyncio.Future[None]) -> None:
        try:
            connection = self._connect()
        except (sqlite3.Error, OSError) as error:
            loop.call_soon_threadsafe(opened.set_exception, error)
            return
        loop.call_soon_threadsafe(opened.set_result, None)
        while (first := self._jobs.get()) is not None:
            batch = [first]
            last = False
            while len(batch) < BATCH and not self._jobs.empty():
                following = self._jobs.get()
                if following is None:
                    last = True
                    break
                batch.append(following)
            loop.call_soon_threadsafe(_answer, _commit(connection, batch))
            if last:
                break
        connection.close()


Outcome = tuple[asyncio.Future[Any], Any, BaseException | None]


def _commit(connection: sqlite3.Connection, batch: list[tuple[Job[Any], asyncio.Future[Any]]]) -> list[Outcome]:
    outcomes: list[Outcome] = []
    try:
        connection.execute("BEGIN IMMEDIATE")
        for job, future in batch:
            connection.execute("SAVEPOINT job")
            try:
                outcomes.append((future, job(connection), None))
            except Exception as error:
                connection.execute("ROLLBACK TO job")
                outcomes.append((future, None, error))
            connection.execute("RELEASE job")
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        return [(future, None, error) for _, future in batch]
    return outcomes


def _answer(outcomes: list[Outcome]) -> None:
    for future, result, error in outcomes:
        if future.done():
            continue
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)
