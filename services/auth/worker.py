"""What auth does by itself: forget what is over."""

import structlog
from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from kit.db.migrations import schema_check
from kit.worker import runner
from kit.worker.shutdown import Shutdown
from services.auth.db import engine, sessions
from services.auth.models import FailedLogin, RefreshFamily
from services.auth.settings import settings

BATCH = 1000
EVERY_SECONDS = 60.0
log = structlog.get_logger("pruning")


async def prune(session: AsyncSession) -> int:
    """Forget expired logins, and failed ones a day after the last; at most a thousand of each. How many it were at most, of one kind."""
    expired = select(RefreshFamily.id).where(RefreshFamily.expires_at < func.now()).limit(BATCH)
    old = select(FailedLogin.name).where(FailedLogin.last_at < func.now() - func.make_interval(0, 0, 0, 1)).limit(BATCH)
    families = await session.execute(
        delete(RefreshFamily).where(RefreshFamily.id.in_(expired)).returning(RefreshFamily.id)
    )
    failures = await session.execute(delete(FailedLogin).where(FailedLogin.name.in_(old)).returning(FailedLogin.name))
    return max(len(families.all()), len(failures.all()))


async def pruning(shutdown: Shutdown) -> None:
    while not shutdown.requested:
        async with sessions.begin() as session:
            forgotten = await prune(session)
        if forgotten:
            log.info("forgotten", rows=forgotten)
        if forgotten < BATCH:
            await shutdown.wait(EVERY_SECONDS)


async def work() -> None:
    try:
        await runner.run_jobs(
            {"pruning": pruning},
            {"database": schema_check("services.auth", engine)},
            host=settings.http_host,
            port=settings.auth_worker_port,
        )
    finally:
        await engine.dispose()
