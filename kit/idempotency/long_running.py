"""Idempotency keys for requests that take several transactions.

The key is inserted before the work, the response is stored after it, and the key is deleted if the work fails. While a request runs, its
process has an advisory lock for it (advisory_locks.py). The lock is released when the request ends. Postgres also releases it when the
process ends, even if the process is killed, but not while the process is suspended. So if a second request with the same key finds no
stored response and the lock is free, the first request has ended without a response, and the second one takes over the key.

A process that loses its database connection is still alive and acquires its locks again at once. Therefore the second request checks twice,
a second apart, that the lock is free. If it takes over the key of a request that is still alive, that request can no longer store a
response or delete the key.
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

from kit.db.after_commit import after_commit
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
"""How long a lock must be free before its key is taken over. A live process that lost its connection acquires its locks again sooner."""

STALE_AFTER = timedelta(seconds=40)
"""Longer than any request takes. An older key without a response is taken over even if it is locked: the machine of its process may have
disappeared while Postgres still considers the connection open."""

log = structlog.get_logger("idempotency")


class LockedKey(StoredKey):
    """Mixin for a table of keys that are inserted in one transaction and get their response in another."""

    holder: Mapped[int | None]
    """The number of the advisory lock of the request that inserted the key or took it over last."""


class LockedRequest:
    """A request that has locked its key. If `stored_response` is not None, return it to the client and do no work."""

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
        """Store the response to return when the request is repeated.

        Raises IdempotencyKeyInUse if another request took over the key and will store its own response.
        """
        if self._request is None:
            return
        stored = await session.execute(
            update(self._keys)
            .where(*_locked_key_conditions(self._keys, self._request, self._holder))
            .values(status=status, body=body.model_dump(mode="json"))
            .returning(self._keys.key)
        )
        if stored.scalar_one_or_none() is None:
            log.warning("idempotency key taken over by another request", operation=self._request.operation)
            raise IdempotencyKeyInUse


class IdempotencyLocks:
    """Locks the idempotency keys of the requests of this process."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession], keys: type[LockedKey], url: SecretStr) -> None:
        self._sessions = sessions
        self._keys = keys
        self._locks = AdvisoryLocks(url)

    @asynccontextmanager
    async def lock(self, request: IdempotentRequest | None) -> AsyncIterator[LockedRequest]:
        """Lock the key of a request inside the `with` block. An exception inside the block deletes the key, so the request can be repeated.

        Raises IdempotencyKeyReused, IdempotencyKeyInUse while another request has locked the key, and Unavailable.
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
                await self._delete_key(request, holder)
                raise
        finally:
            await self._locks.release(holder)

    async def close(self) -> None:
        """Release all locks."""
        await self._locks.close()

    async def _acquire(self, request: IdempotentRequest, holder: int) -> StoredResponse | None:
        """Insert the key or take it over and return None, or return its stored response."""
        keys = self._keys
        free_holder = None  # the holder whose lock was free at the previous check
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
                if row is None:  # the first request failed between our INSERT and this SELECT
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
        self, session: AsyncSession, request: IdempotentRequest, previous_holder: int | None, holder: int
    ) -> None:
        keys = self._keys
        unchanged = keys.holder.is_not_distinct_from(previous_holder)
        taken = await session.execute(
            update(keys)
            .where(*key_conditions(keys, request), keys.status.is_(None), unchanged)
            .values(holder=holder, created_at=func.now())
            .returning(keys.key)
        )
        if taken.scalar_one_or_none() is None:
            raise IdempotencyKeyInUse
        after_commit(session, log.warning, "idempotency key taken over", operation=request.operation)

    async def _delete_key(self, request: IdempotentRequest, holder: int) -> None:
        # If the DELETE fails, the next request takes over the key after the lock is released.
        try:
            async with self._sessions.begin() as session:
                await session.execute(delete(self._keys).where(*_locked_key_conditions(self._keys, request, holder)))
        except Exception as error:
            log.warning("idempotency key not deleted", operation=request.operation, error=type(error).__name__)


def _locked_key_conditions(
    keys: type[LockedKey], request: IdempotentRequest, holder: int
) -> tuple[ColumnElement[bool], ...]:
    return *key_conditions(keys, request), keys.holder == holder, keys.status.is_(None)


async def _is_free(session: AsyncSession, holder: int) -> bool:
    return bool((await session.execute(select(func.pg_try_advisory_xact_lock(holder)))).scalar_one())


def _idempotency_locks(request: Request) -> IdempotencyLocks:
    locks: IdempotencyLocks = request.state.idempotency_locks
    return locks


CurrentIdempotencyLocks = Annotated[IdempotencyLocks, Depends(_idempotency_locks)]
"""The IdempotencyLocks that the service's lifespan yields as `idempotency_locks`."""
