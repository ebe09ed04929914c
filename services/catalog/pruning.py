"""The background job that deletes old idempotency keys, processed inbox entries and the addresses of old orders."""

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from kit.idempotency import keys as idempotency
from kit.messaging import inbox
from kit.worker.shutdown import Shutdown
from services.catalog.models import IdempotencyKey, InboxRow
from services.catalog.orders import addresses

BATCH = 1000
INTERVAL_SECONDS = 600.0


async def prune(sessions: async_sessionmaker[AsyncSession], shutdown: Shutdown) -> None:
    """Delete old rows until shutdown is requested, one batch in each transaction."""
    while not shutdown.requested:
        async with sessions.begin() as session:
            keys = await idempotency.prune(session, IdempotencyKey, BATCH)
        async with sessions.begin() as session:
            entries = await inbox.prune(session, InboxRow, BATCH)
        async with sessions.begin() as session:
            erased = await addresses.prune(session, BATCH)
        if max(keys, entries, erased) < BATCH:
            await shutdown.wait(INTERVAL_SECONDS)
