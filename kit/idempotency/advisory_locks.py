"""Advisory locks that a process holds for its running requests. They end when the process ends, however it ends.

All locks are on one connection, which is opened for the first lock. When it is lost, it is opened again and all locks are taken again.
"""

import asyncio

import asyncpg
import structlog
from pydantic import SecretStr

from kit.errors import Unavailable
from kit.worker.backoff import Backoff

LOCK_TIMEOUT_SECONDS = 3.0
RESTORE_BACKOFF = Backoff(first=0.1, longest=0.2)  # much shorter than the grace period of long_running.py
log = structlog.get_logger("locks")


class AdvisoryLocks:
    """Locks by number. The caller takes each number once and frees it."""

    def __init__(self, url: SecretStr) -> None:
        self._url = url
        self._acquired: set[int] = set()
        self._connection_lock = asyncio.Lock()
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None
        self._restoring: asyncio.Task[None] | None = None

    async def acquire(self, number: int) -> None:
        """Take a lock. Raises Unavailable if that takes longer than LOCK_TIMEOUT_SECONDS."""
        try:
            async with asyncio.timeout(LOCK_TIMEOUT_SECONDS), self._connection_lock:
                await self._acquire({number})
                self._acquired.add(number)
        except Exception as error:
            log.warning("lock not taken", error=type(error).__name__, reason=str(error)[:200])
            raise Unavailable from error

    async def release(self, number: int) -> None:
        """Free a lock, if necessary by closing the connection."""
        self._acquired.discard(number)
        try:
            async with asyncio.timeout(LOCK_TIMEOUT_SECONDS), self._connection_lock:
                if self._connection is not None:
                    await self._connection.execute("SELECT pg_advisory_unlock($1)", number)
        except BaseException as error:
            self._drop()  # frees this lock too; the others are taken again
            if not isinstance(error, Exception):
                raise

    async def close(self) -> None:
        """Free all locks."""
        self._acquired.clear()
        if self._restoring is not None:
            self._restoring.cancel()
            await asyncio.gather(self._restoring, return_exceptions=True)
        self._drop()

    async def _acquire(self, numbers: set[int]) -> None:
        try:
            if self._connection is None:
                self._connection = await asyncpg.connect(
                    self._url.get_secret_value(),
                    timeout=2,
                    command_timeout=2,
                    server_settings={"application_name": "locks", "lock_timeout": "2000"},
                )
                self._connection.add_termination_listener(self._on_connection_lost)
                numbers = numbers | self._acquired
            # As text: for an array, asyncpg would first look up its type, and a connection lost during that breaks asyncpg too.
            listed = ",".join(map(str, numbers))
            await self._connection.execute(
                "SELECT pg_advisory_lock(n::bigint) FROM string_to_table($1, ',') AS n", listed
            )
        except BaseException:
            self._drop()
            raise

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()
            self._on_connection_lost(connection)  # the listener is not called if the connection is closed already

    def _on_connection_lost(self, connection: object) -> None:
        if connection is self._connection:
            self._connection = None
        if self._acquired and (self._restoring is None or self._restoring.done()):
            self._restoring = asyncio.create_task(self._restore())

    async def _restore(self) -> None:
        failures = 0
        while self._acquired and self._connection is None:
            try:
                async with asyncio.timeout(LOCK_TIMEOUT_SECONDS), self._connection_lock:
                    await self._acquire(set())
            except Exception as error:
                log.warning("locks of running requests lost", count=len(self._acquired), error=type(error).__name__)
                await asyncio.sleep(RESTORE_BACKOFF.seconds(failures))
                failures += 1
