"""The background job of auth: delete expired rows."""

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from kit.db.after_commit import after_commit
from kit.db.schema import schema_check
from kit.worker import runner
from kit.worker.shutdown import Shutdown
from services.auth.db import engine, sessions
from services.auth.sessions import refresh_tokens, revocations
from services.auth.settings import settings
from services.auth.throttling import failed_logins

BATCH_SIZE = 1000
INTERVAL_SECONDS = 60.0
log = structlog.get_logger("pruning")


async def prune(session: AsyncSession) -> int:
    """Delete up to BATCH_SIZE expired sessions, revocations and failed logins each. Return the largest of these numbers."""
    families = await refresh_tokens.delete_expired(session, BATCH_SIZE)
    revoked = await revocations.delete_expired(session, BATCH_SIZE)
    usernames = await failed_logins.delete_old(session, BATCH_SIZE)
    if families or revoked or usernames:
        after_commit(
            session,
            log.info,
            "expired rows deleted",
            refresh_families=families,
            revocations=revoked,
            failed_logins=usernames,
        )
    return max(families, revoked, usernames)


async def prune_regularly(shutdown: Shutdown) -> None:
    """Prune once a minute. Prune again at once while a batch is full."""
    while not shutdown.requested:
        async with sessions.begin() as session:
            deleted = await prune(session)
        if deleted < BATCH_SIZE:
            await shutdown.wait(INTERVAL_SECONDS)


async def work() -> None:
    """Run the background jobs until SIGTERM."""
    try:
        await runner.run_jobs(
            {"pruning": prune_regularly},
            {"database": schema_check("services.auth", engine)},
            host=settings.http_host,
            port=settings.auth_worker_port,
        )
    finally:
        await engine.dispose()
