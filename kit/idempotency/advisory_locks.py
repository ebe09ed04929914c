"""Advisory locks that one process holds for what it works on: they end when it ends, whatever ends it.

All of them stand on one connection: made when the first is wanted, and made again, with all that are held, when it is lost.
"""

import asyncio

import asyncpg
import structlog
from pydantic import SecretStr

from kit.errors import Unavailable

LOCK_SECONDS = 3.0
PAUSE_SECONDS = 0.1
log = structlog.get_logger("locks")


class AdvisoryLocks:
    """Each number is taken once, and freed by whoever took it."""

    def __init__(self, url: SecretStr) -> None:
        self._url = url
        self._held: set[int] = set()
        self._turn = asyncio.Lock()
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None
        self._restoring: asyncio.Task[None] | None = None

    async def take(self, number: int) -> None:
        """Raises Unavailable where it cannot be had in time."""
        try:
            async with asyncio.timeout(LOCK_SECONDS), self._turn:
                await self._lock({number})
                self._held.add(number)
        except Exception as error:
            log.warning("a request could not lock its key", error=type(error).__name__, reason=str(error)[:200])
            raise Unavailable from error

    async def free(self, number: int) -> None:
        self._held.discard(number)
        try:
            async with asyncio.timeout(LOCK_SECONDS), self._turn:
                if self._connection is not None:
                    await self._connection.execute("SELECT pg_advisory_unlock($1)", number)
        except BaseException as error:
            self._drop()  # which frees it too; the others are locked again
            if not isinstance(error, Exception):
                raise

    async def close(self) -> None:
        self._held.clear()
        if self._restoring is not None:
            self._restoring.cancel()
            await asyncio.gather(self._restoring, return_exceptions=True)
        self._drop()

    async def _lock(self, numbers: set[int]) -> None:
        try:
            if self._connection is None:
                self._connection = await asyncpg.connect(
                    self._url.get_secret_value(),
                    timeout=2,
                    command_timeout=2,
                    server_settings={"application_name": "locks", "lock_timeout": "2000"},
                )
                self._connection.add_termination_listener(self._lost)
                numbers = numbers | self._held
            # As text: an array's type would be looked up first, and a connection that breaks then breaks asyncpg too.
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
            self._lost(connection)  # which an already closed one tells nobody

    def _lost(self, connection: object) -> None:
        if connection is self._connection:
            self._connection = None
        if self._held and (self._restoring is None or self._restoring.done()):
            self._restoring = asyncio.create_task(self._restore())

    async def _restore(self) -> None:
        while self._held and self._connection is None:
            try:
                async with asyncio.timeout(LOCK_SECONDS), self._turn:
                    await self._lock(set())
            except Exception as error:
                log.warning("locks of running requests are not held", count=len(self._held), error=type(error).__name__)
                await asyncio.sleep(PAUSE_SECONDS)
