"""Idempotency keys whose work takes several transactions: claimed before it, answered after it, free again as soon as nobody works on them.

While a request works, its process holds an advisory lock for it, on one connection that all its requests share. The lock ends with the
request and with the process, whatever ends them, and a frozen process keeps it: whoever gets the lock may take the key over.

A process whose connection is lost lives on, and locks again at once: so whoever would take over looks twice, a second apart. Behind that
stands a fence: a key that was taken over is no longer its first holder's to answer or to release.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Annotated, Any

import structlog
from fastapi import Depends, Request
from pydantic import BaseModel, SecretStr
from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Mapped

from kit.idempotency import keys as idempotency
from kit.idempotency.advisory_locks import AdvisoryLocks
from kit.idempotency.keys import IdempotencyKeyInUse, IdempotentRequest, StoredKey, StoredResponse

GRACE_SECONDS = 1.0
"""How long a lock must be found free before its key is taken over; one that lost its connection has it again sooner."""

STALE_AFTER = timedelta(seconds=40)
"""Longer than any request takes. A claim that is older is free whatever its lock says: its machine may be gone, and the server not know."""

log = structlog.get_logger("claims")


class LockedKey(StoredKey):
    """Mixin for a table of keys that are claimed in one transaction and answered in another."""

    holder: Mapped[int | None]
    """The advisory lock of the request that works on it, or did."""


class LockedRequest:
    """A request's hold on a key. Where the key has its answer already, `kept` is that, and nothing is to be done."""

    def __init__(
        self,
        keys: type[LockedKey],
        intent: IdempotentRequest | None = None,
        holder: int = 0,
        kept: StoredResponse | None = None,
    ) -> None:
        self.kept = kept
        self._keys = keys
        self._intent = intent
        self._holder = holder

    async def keep(self, session: AsyncSession, status: int, body: BaseModel) -> None:
        """Keep the answer for whoever sends the key again. Raises IdempotencyKeyInUse where the key was taken over: another answers."""
        if self._intent is None:
            return
        answer = update(self._keys).where(*_ours(self._keys, self._intent, self._holder))
        written = answer.values(status=status, body=body.model_dump(mode="json")).returning(self._keys.key)
        found = await session.execute(written)
        if found.scalar_one_or_none() is None:
            log.warning("a key was taken over while it was worked on", operation=self._intent.operation)
            raise IdempotencyKeyInUse


class LongRunningRequests:
    """The keys that requests of this process work on."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession], keys: type[LockedKey], url: SecretStr) -> None:
        self._sessions = sessions
        self._keys = keys
        self._locks = AdvisoryLocks(url)

    @asynccontextmanager
    async def hold(self, intent: IdempotentRequest | None) -> AsyncIterator[LockedRequest]:
        """Hold a key while the work is done. What raises within it releases the key; so does the end of the process.

        Raises IdempotencyKeyReused, IdempotencyKeyInUse while another request works on it, and Unavailable.
        """
        if intent is None:
            yield LockedRequest(self._keys)
            return
        holder = secrets.randbits(63)
        await self._locks.take(holder)
        try:
            claim = LockedRequest(self._keys, intent, holder, await self._claim(intent, holder))
            try:
                yield claim
            except BaseException:
                await self._release(intent, holder)
                raise
        finally:
            await self._locks.free(holder)

    async def close(self) -> None:
        await self._locks.close()

    async def _claim(self, intent: IdempotentRequest, holder: int) -> StoredResponse | None:
        keys, seen_free = self._keys, None
        while True:
            async with self._sessions.begin() as session:
                if await idempotency.insert_key(session, keys, intent, holder=holder):
                    return None
                stale = keys.created_at < func.now() - STALE_AFTER
                found = await session.execute(
                    select(keys.fingerprint, keys.status, keys.body, keys.holder, stale.label("stale")).where(
                        *idempotency.is_key(keys, intent)
                    )
                )
                row = idempotency.check_same_request(found.one_or_none(), intent)
                if row.status is not None:
                    return StoredResponse(row.status, row.body)
                if not row.stale and (row.holder is None or not await _is_free(session, row.holder)):
                    raise IdempotencyKeyInUse
                if row.stale or row.holder == seen_free:
                    await self._take_over(session, intent, row.holder, holder)
                    return None
                seen_free = row.holder
            await asyncio.sleep(GRACE_SECONDS)

    async def _take_over(
        self, session: AsyncSession, intent: IdempotentRequest, before: int | None, holder: int
    ) -> None:
        keys = self._keys
        theirs = keys.holder.is_not_distinct_from(before)
        taken = await session.execute(
            update(keys)
            .where(*idempotency.is_key(keys, intent), keys.status.is_(None), theirs)
            .values(holder=holder, created_at=func.now())
            .returning(keys.key)
        )
        if taken.scalar_one_or_none() is None:
            raise IdempotencyKeyInUse
        log.warning("a key that its request left behind is taken over", operation=intent.operation)

    async def _release(self, intent: IdempotentRequest, holder: int) -> None:
        # Where it fails the key is free all the same, a little later: its lock is given back.
        try:
            async with self._sessions.begin() as session:
                ours = delete(self._keys).where(*_ours(self._keys, intent, holder))
                await session.execute(ours)
        except Exception as error:
            log.warning("a key was not released", operation=intent.operation, error=type(error).__name__)


def _ours(keys: type[LockedKey], intent: IdempotentRequest, holder: int) -> tuple[Any, ...]:
    return *idempotency.is_key(keys, intent), keys.holder == holder, keys.status.is_(None)


async def _is_free(session: AsyncSession, holder: int) -> bool:
    return bool((await session.execute(select(func.pg_try_advisory_xact_lock(holder)))).scalar_one())


def _long_running(request: Request) -> LongRunningRequests:
    requests: LongRunningRequests = request.state.long_running
    return requests


LongRunning = Annotated[LongRunningRequests, Depends(_long_running)]
"""The registry that the service's lifespan yields as `long_running`."""
