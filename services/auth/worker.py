"""The background jobs of auth: delete expired rows, and send mail."""

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from kit.db.after_commit import after_commit
from kit.db.schema import schema_check
from kit.http.health import Check
from kit.worker import runner
from kit.worker.shutdown import Shutdown
from services.auth.accounts import one_time_tokens
from services.auth.db import engine, sessions
from services.auth.mail import records as mail_records
from services.auth.mail.configuration import mail_sender
from services.auth.mail.records import MailMeasurement
from services.auth.sessions import refresh_tokens, revocations
from services.auth.settings import settings
from services.auth.throttling import failed_logins

BATCH_SIZE = 1000
INTERVAL_SECONDS = 60.0
log = structlog.get_logger("pruning")


async def prune(session: AsyncSession) -> int:
    """Delete up to BATCH_SIZE rows of each kind that has expired. Return the largest number of one kind."""
    deleted = {
        "refresh_families": await refresh_tokens.delete_expired(session, BATCH_SIZE),
        "revocations": await revocations.delete_expired(session, BATCH_SIZE),
        "failed_logins": await failed_logins.delete_old(session, BATCH_SIZE),
        "one_time_tokens": await one_time_tokens.delete_expired(session, BATCH_SIZE),
        "mails": await mail_records.delete_old(session, BATCH_SIZE),
    }
    if any(deleted.values()):
        after_commit(session, log.info, "expired rows deleted", **deleted)
    return max(deleted.values())


async def prune_regularly(shutdown: Shutdown) -> None:
    """Prune once a minute. Prune again at once while a batch is full."""
    while not shutdown.requested:
        async with sessions.begin() as session:
            deleted = await prune(session)
        if deleted < BATCH_SIZE:
            await shutdown.wait(INTERVAL_SECONDS)


async def work() -> None:
    """Run the background jobs until SIGTERM."""
    jobs: dict[str, runner.Job] = {"pruning": prune_regularly}
    warnings: dict[str, Check] = {}
    sender = mail_sender(sessions, settings)
    if sender is not None:
        measurement = MailMeasurement(sessions)
        jobs |= {"mail": sender.run, "mail measurement": measurement.run}
        warnings["mail"] = measurement.check
    try:
        await runner.run_jobs(
            jobs,
            {"database": schema_check("services.auth", engine)},
            host=settings.http_host,
            port=settings.auth_worker_port,
            warnings=warnings,
        )
    finally:
        await engine.dispose()
