"""Wake background jobs: through asyncio events in one process, through LISTEN and NOTIFY between processes.

A notification is a hint that work is due, never the work itself. Every job polls as well, so a lost notification costs only time.
"""

import asyncio
from collections import defaultdict

import asyncpg
from pydantic import SecretStr
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from kit.database_url import driver_url, tls_arguments
from kit.worker.shutdown import Shutdown

MIN_INTERVAL_SECONDS = 0.01
"""The pause between two batches of notifications, because NOTIFY takes a database-wide lock at commit."""

NOTIFY_TIMEOUT_SECONDS = 5.0
KEEPALIVE_SECONDS = 10.0


class Notifier:
    """Wakes the jobs that wait for a topic.

    `channel` is the Postgres channel of the service. Topics are names such as `outbox` or `refunds`.
    """

    def __init__(self, engine: AsyncEngine, channel: str) -> None:
        self._engine = engine
        self._channel = channel
        self._subscribers: defaultdict[str, list[asyncio.Event]] = defaultdict(list)
        self._pending: set[str] = set()
        self._sending: asyncio.Task[None] | None = None

    def subscribe(self, *topics: str) -> asyncio.Event:
        """Return an asyncio.Event that is set when one of the topics is notified. The job that waits for it must clear it."""
        wakeup = asyncio.Event()
        for topic in topics:
            self._subscribers[topic].append(wakeup)
        return wakeup

    def wake_local(self, *topics: str) -> None:
        """Wake the jobs of this process only."""
        for topic in topics:
            for wakeup in self._subscribers[topic]:
                wakeup.set()

    def notify(self, *topics: str) -> None:
        """Wake the jobs of this process and of all other processes. Returns at once and never raises. Call it after the commit."""
        self.wake_local(*topics)
        self._pending.update(topics)
        if self._pending and (self._sending is None or self._sending.done()):
            self._sending = asyncio.create_task(self._send())

    async def flush(self) -> None:
        """Wait until pending notifications are sent, or dropped after an error. For processes that end right after `notify`."""
        if self._sending is not None:
            await self._sending

    async def listen(self, shutdown: Shutdown, url: SecretStr) -> None:
        """Run as a job: wake the jobs of this process when another process notifies. Raises when the connection is lost."""
        connection = await asyncpg.connect(driver_url(url), **tls_arguments(url), timeout=5, command_timeout=5)
        try:
            lost = asyncio.Event()
            connection.add_termination_listener(lambda _: lost.set())
            await connection.add_listener(self._channel, lambda *args: self.wake_local(str(args[-1])))
            self.wake_local(*self._subscribers)  # notifications may have been sent before this process listened
            while not shutdown.requested:
                await shutdown.wait(KEEPALIVE_SECONDS, lost)
                await connection.execute("SELECT 1")  # raises if the connection is lost
        finally:
            connection.terminate()

    async def _send(self) -> None:
        now = asyncio.get_running_loop().time
        while self._pending:  # again, if a notification arrived while the connection was returned to the pool
            try:
                async with asyncio.timeout(NOTIFY_TIMEOUT_SECONDS) as deadline, self._engine.connect() as connection:
                    await connection.execution_options(isolation_level="AUTOCOMMIT")
                    while self._pending:  # on one connection, as long as there are new notifications
                        topics, self._pending = sorted(self._pending), set()
                        for topic in topics:
                            await connection.execute(select(func.pg_notify(self._channel, topic)))
                        await asyncio.sleep(MIN_INTERVAL_SECONDS)
                        deadline.reschedule(now() + NOTIFY_TIMEOUT_SECONDS)
            except Exception:  # jobs of other processes find their work when they poll
                self._pending = set()
                return
