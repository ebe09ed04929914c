"""Postgres advisory locks for the running requests of a process. Postgres releases them when the process ends, even if it is killed.

All locks of a process belong to one connection, which is opened for the first lock. If the connection is lost, the process opens another
one and acquires all locks again.
"""

import asyncio

import asyncpg
import structlog
from pydantic import SecretStr

from kit.database_url import driver_url, tls_arguments
from kit.errors import Unavailable
from kit.log_throttling import log_failure
from kit.worker.backoff import Backoff

LOCK_TIMEOUT_SECONDS = 3.0
RESTORE_BACKOFF = Backoff(first=0.1, longest=0.2)  # much shorter than GRACE_SECONDS in long_running.py
log = structlog.get_logger("locks")


class AdvisoryLocks:
    """Acquires and releases locks by number. The caller must not acquire a number that is already acquired."""

    def __init__(self, url: SecretStr) -> None:
        self._url = url
        self._acquired: set[int] = set()
        self._connection_lock = asyncio.Lock()
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None
        self._restoring: asyncio.Task[None] | None = None

    async def acquire(self, number: int) -> None:
        """Acquire a lock. Raises Unavailable after an error, or after LOCK_TIMEOUT_SECONDS."""
        try:
            async with asyncio.timeout(LOCK_TIMEOUT_SECONDS), self._connection_lock:
                await self._acquire({number})
                self._acquired.add(number)
        except Exception as error:
            log_failure(log.warning, "advisory lock not acquired", error)
            raise Unavailable from error

    async def release(self, number: int) -> None:
        """Release a lock. If that fails, close the connection, which releases the lock too."""
        self._acquired.discard(number)
        try:
            async with asyncio.timeout(LOCK_TIMEOUT_SECONDS), self._connection_lock:
                if self._connection is not None:
                    await self._connection.execute("SELECT pg_advisory_unlock($1)", number)
        except BaseException as error:
            self._close_connection()  # the other locks are acquired again
            if not isinstance(error, Exception):
                raise

    async def close(self) -> None:
        """Release all locks."""
        self._acquired.clear()
        if self._restoring is not None:
            self._restoring.cancel()
            await asyncio.gather(self._restoring, return_exceptions=True)
        self._close_connection()

    async def _acquire(self, numbers: set[int]) -> None:
        try:
            if self._connection is None:
                self._connection = await asyncpg.connect(
                    driver_url(self._url),
                    **tls_arguments(self._url),
                    timeout=2,
                    command_timeout=2,
                    server_settings={"application_name": "locks", "lock_timeout": "2000"},
                )
                self._connection.add_termination_listener(self._on_connection_lost)
                numbers = numbers | self._acquired
            # Pass the numbers as text. For an array, asyncpg first queries the array type, and asyncpg breaks if the connection is lost
            # during that query.
            numbers_text = ",".join(map(str, numbers))
            await self._connection.execute(
                "SELECT pg_advisory_lock(n::bigint) FROM string_to_table($1, ',') AS n", numbers_text
            )
        except BaseException:
            self._close_connection()
            raise

    def _close_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()
            # asyncpg does not call the listener if the connection is already closed.
            self._on_connection_lost(connection)

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
                log_failure(log.warning, "advisory locks not acquired again", error, count=len(self._acquired))
                await asyncio.sleep(RESTORE_BACKOFF.seconds(failures))
                failures += 1
