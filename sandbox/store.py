"""Run all SQL in one thread. So the event loop is never blocked, and writes that arrive together share one commit."""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from sandbox.schema import create_tables
from sandbox.timestamps import now

T = TypeVar("T")
Job = Callable[[sqlite3.Connection], T]

MEMORY = ":memory:"
BATCH = 256
"""Jobs per commit, at most."""
TIMEOUT = 30.0
"""Seconds that a caller waits for its job."""


class _Queued(Protocol):
    """A _QueuedJob with a result of any type."""

    def execute(self, connection: sqlite3.Connection) -> None: ...
    def fail(self, error: BaseException) -> None: ...
    def resolve(self) -> None: ...


class _QueuedJob(Generic[T]):
    """A job, the future that its caller awaits, and its outcome between execution and commit."""

    def __init__(self, job: Job[T], future: asyncio.Future[T]) -> None:
        self._job = job
        self._future = future
        self._result: T
        self._error: BaseException | None = None

    def execute(self, connection: sqlite3.Connection) -> None:
        """Run the job in a savepoint, which is rolled back when the job raises."""
        connection.execute("SAVEPOINT job")
        try:
            self._result = self._job(connection)
        except Exception as error:
            connection.execute("ROLLBACK TO job")
            self._error = error
        connection.execute("RELEASE job")

    def fail(self, error: BaseException) -> None:
        self._error = error

    def resolve(self) -> None:
        """Pass the outcome to the caller. Runs in the event loop."""
        if self._future.done():
            return
        if self._error is None:
            self._future.set_result(self._result)
        else:
            self._future.set_exception(self._error)


class Store:
    """Runs jobs in order, each in its own savepoint. A result is returned only after the commit.

    The queue holds one job per waiting request, so the server's connection limit also limits the queue.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._jobs: queue.SimpleQueue[_Queued | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    async def open(self) -> None:
        """Start the thread and create the tables. Raises OSError, sqlite3.Error, WrongSchemaVersion."""
        loop = asyncio.get_running_loop()
        opened: asyncio.Future[None] = loop.create_future()
        thread = threading.Thread(target=self._work, args=(loop, opened), name="sandbox-store", daemon=True)
        thread.start()
        async with asyncio.timeout(TIMEOUT):
            await opened
        self._thread = thread

    async def close(self) -> None:
        if self._thread is not None:
            self._jobs.put(None)
            await asyncio.to_thread(self._thread.join, TIMEOUT)
            self._thread = None

    async def run(self, job: Job[T]) -> T:
        """Run `job` in the store's thread. Raises the errors of the job, and TimeoutError."""
        if self._thread is None:
            raise RuntimeError("the store is closed")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._jobs.put(_QueuedJob(job, future))
        async with asyncio.timeout(TIMEOUT):
            return await future

    def _connect(self) -> sqlite3.Connection:
        if self._path != MEMORY:
            Path(self._path).parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self._path, timeout=5, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            # The page cache survives a killed process; only a power failure could lose a commit.
            connection.execute("PRAGMA synchronous = OFF")
            create_tables(connection, now())
        except Exception:
            connection.close()
            raise
        return connection

    def _work(self, loop: asyncio.AbstractEventLoop, opened: asyncio.Future[None]) -> None:
        """Execute the queued jobs in batches until the store is closed. Runs in the store's thread."""
        try:
            connection = self._connect()
        except Exception as error:
            loop.call_soon_threadsafe(opened.set_exception, error)
            return
        loop.call_soon_threadsafe(opened.set_result, None)
        while (first := self._jobs.get()) is not None:
            batch = [first]
            closing = False
            while len(batch) < BATCH and not self._jobs.empty():
                following = self._jobs.get()
                if following is None:
                    closing = True
                    break
                batch.append(following)
            _commit(connection, batch)
            loop.call_soon_threadsafe(_resolve, batch)
            if closing:
                break
        connection.close()


def _commit(connection: sqlite3.Connection, batch: list[_Queued]) -> None:
    """Execute the jobs in one transaction. When SQLite fails, all of them fail."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        for job in batch:
            job.execute(connection)
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        for job in batch:
            job.fail(error)


def _resolve(batch: list[_Queued]) -> None:
    for job in batch:
        job.resolve()
