"""Idempotency keys for work that takes several transactions: inserted before the work, given a response after it, released if it fails.

While a request works, its process holds an advisory lock for it, on one connection that all its requests share (advisory_locks.py). The
lock ends with the request or with the process, however they end. A frozen process keeps its lock. A request that gets the lock of another
may take over its key.

A process that loses its connection is still alive and locks again at once. So before a takeover the lock must be found free twice, a
second apart. As a fence behind that, a key that was taken over can no longer be given a response or be released by its first request.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Annotated

import structlog
from fastapi import Depends, Request
from pydantic import BaseModel, SecretStr
from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Mapped

from kit.idempotency.advisory_locks import AdvisoryLocks
from kit.idempotency.keys import (
    FoundKey,
    IdempotencyKeyInUse,
    IdempotentRequest,
    StoredKey,
    StoredResponse,
    insert_key,
    key_conditions,
)

GRACE_SECONDS = 1.0
"""How long a lock must be free before its key is taken over. A process that lost its connection has locked again sooner."""

STALE_AFTER = timedelta(seconds=40)
"""Longer than any request takes. An older key without a response is free even if it is locked: its machine may be gone without the server
having noticed."""

log = structlog.get_logger("idempotency")


class LockedKey(StoredKey):
    """Mixin for a table of keys that are inserted in one transaction and get their response in another."""

    holder: Mapped[int | None]
    """The number of the advisory lock of the request that works, or worked, on the key."""


class LockedRequest:
    """A request that holds its key. If the key has a `stored_response` already, return that and do nothing."""

    def __init__(
        self,
        keys: type[LockedKey],
        request: IdempotentRequest | None = None,
        holder: int = 0,
        stored_response: StoredResponse | None = None,
    ) -> None:
        self.stored_response = stored_response
        self._keys = keys
        self._request = request
        self._holder = holder

    async def store_response(self, session: AsyncSession, status: int, body: BaseModel) -> None:
        """Store the response for repetitions of the request.

        Raises IdempotencyKeyInUse if another request took over the key: the response is that one's.
        """
        if self._request is None:
            return
        stored = await session.execute(
            update(self._keys)
            .where(*_is_locked_by(self._keys, self._request, self._holder))
            .values(status=status, body=body.model_dump(mode="json"))
            .returning(self._keys.key)
        )
        if stored.scalar_one_or_none() is None:
            log.warning("idempotency key lost to another request", operation=self._request.operation)
            raise IdempotencyKeyInUse


class LongRunningRequests:
    """The keys that the requests of this process hold."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession], keys: type[LockedKey], url: SecretStr) -> None:
        self._sessions = sessions
        self._keys = keys
        self._locks = AdvisoryLocks(url)

    @asynccontextmanager
    async def lock(self, request: IdempotentRequest | None) -> AsyncIterator[LockedRequest]:
        """Hold a key while its work is done. An exception inside the block releases the key, and so does the end of the process.

        Raises IdempotencyKeyReused, IdempotencyKeyInUse while another request holds the key, and Unavailable.
        """
        if request is None:
            yield LockedRequest(self._keys)
            return
        holder = secrets.randbits(63)
        await self._locks.acquire(holder)
        try:
            locked = LockedRequest(self._keys, request, holder, await self._acquire(request, holder))
            try:
                yield locked
            except BaseException:
                await self._release(request, holder)
                raise
        finally:
            await self._locks.release(holder)

    async def close(self) -> None:
        await self._locks.close()

    async def _acquire(self, request: IdempotentRequest, holder: int) -> StoredResponse | None:
        """Insert the key or take it over and return None, or return its stored response."""
        keys, free_holder = self._keys, None
        while True:
            async with self._sessions.begin() as session:
                if await insert_key(session, keys, request, holder=holder):
                    return None
                stale = keys.created_at < func.now() - STALE_AFTER
                row = (
                    await session.execute(
                        select(keys.fingerprint, keys.status, keys.body, keys.holder, stale.label("stale")).where(
                            *key_conditions(keys, request)
                        )
                    )
                ).one_or_none()
                if row is None:  # the first request failed and released the key after our INSERT met it
                    raise IdempotencyKeyInUse
                found = FoundKey(row.fingerprint, row.status, row.body)
                found.check_same_request(request)
                if found.response is not None:
                    return found.response
                if not row.stale and (row.holder is None or not await _is_free(session, row.holder)):
                    raise IdempotencyKeyInUse
                if row.stale or row.holder == free_holder:
                    await self._take_over(session, request, row.holder, holder)
                    return None
                free_holder = row.holder
            await asyncio.sleep(GRACE_SECONDS)

    async def _take_over(
        self, session: AsyncSession, request: IdempotentRequest, before: int | None, holder: int
    ) -> None:
        keys = self._keys
        unchanged = keys.holder.is_not_distinct_from(before)
        taken = await session.execute(
            update(keys)
            .where(*key_conditions(keys, request), keys.status.is_(None), unchanged)
            .values(holder=holder, created_at=func.now())
            .returning(keys.key)
        )
        if taken.scalar_one_or_none() is None:
            raise IdempotencyKeyInUse
        log.warning("abandoned idempotency key taken over", operation=request.operation)

    async def _release(self, request: IdempotentRequest, holder: int) -> None:
        # If this fails, the key becomes free a little later, when its lock is released.
        try:
            async with self._sessions.begin() as session:
                await session.execute(delete(self._keys).where(*_is_locked_by(self._keys, request, holder)))
        except Exception as error:
            log.warning("idempotency key not released", operation=request.operation, error=type(error).__name__)


def _is_locked_by(keys: type[LockedKey], request: IdempotentRequest, holder: int) -> tuple[ColumnElement[bool], ...]:
    return *key_conditions(keys, request), keys.holder == holder, keys.status.is_(None)


async def _is_free(session: AsyncSession, holder: int) -> bool:
    return bool((await session.execute(select(func.pg_try_advisory_xact_lock(holder)))).scalar_one())


def _long_running(request: Request) -> LongRunningRequests:
    requests: LongRunningRequests = request.state.long_running
    return requests


LongRunning = Annotated[LongRunningRequests, Depends(_long_running)]
"""The registry that the service's lifespan yields as `long_running`."""
