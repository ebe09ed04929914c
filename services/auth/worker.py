"""The background jobs of auth: publish events, send mail, delete expired rows."""

from functools import partial

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.topology import PUBLISHED_TO
from kit.db.after_commit import after_commit
from kit.db.schema import schema_check
from kit.http.health import Check
from kit.messaging import outbox
from kit.messaging.notifier import Notifier
from kit.messaging.relay import Relay
from kit.messaging.settings import load_amqp_url
from kit.worker import runner
from kit.worker.shutdown import Shutdown
from services.auth.accounts import (
    deletion_requests,
    events,
    guests,
    mail_codes,
    mail_limits,
    mail_requests,
    one_time_tokens,
    registrations,
)
from services.auth.db import db_sessions, engine
from services.auth.mail import records as mail_records
from services.auth.mail.configuration import mail_sender
from services.auth.mail.records import MailMeasurement
from services.auth.models import OutboxRow
from services.auth.republish import republish
from services.auth.sessions import refresh_tokens, revocations
from services.auth.settings import settings
from services.auth.throttling import address_buckets, devices, failed_logins

BATCH_SIZE = 1000
ACCOUNTS_BATCH = 20
"""Each account has a transaction of its own."""
INTERVAL_SECONDS = 60.0
OVERDUE_SECONDS = 60
log = structlog.get_logger("pruning")


async def prune(db: AsyncSession) -> int:
    """Delete up to BATCH_SIZE rows of each kind that are no longer needed, and give up old mails. Return the largest number of one kind."""
    deleted = {
        "login_sessions": await refresh_tokens.delete_expired(db, BATCH_SIZE),
        "revocations": await revocations.delete_expired(db, BATCH_SIZE),
        "guests": await guests.prune(db, BATCH_SIZE),
        "ended_accounts": await events.prune(db, BATCH_SIZE),
        "failed_logins": await failed_logins.delete_old(db, BATCH_SIZE),
        "address_buckets": await address_buckets.delete_full(db, BATCH_SIZE),
        "devices": await devices.delete_expired(db, BATCH_SIZE),
        "one_time_tokens": await one_time_tokens.delete_expired(db, BATCH_SIZE),
        "mail_codes": await mail_codes.delete_expired(db, BATCH_SIZE),
        "pending_registrations": await registrations.delete_expired(db, BATCH_SIZE),
        "mail_buckets": await mail_limits.delete_full(db, BATCH_SIZE),
        "mail_requests": await mail_requests.delete_old(db, BATCH_SIZE),
        "mails": await mail_records.delete_old(db, BATCH_SIZE),
        "mails_given_up": await mail_records.give_up_old(db, BATCH_SIZE),
    }
    if any(deleted.values()):
        after_commit(db, log.info, "expired rows deleted", **deleted)
    return max(deleted.values())


async def prune_regularly(shutdown: Shutdown) -> None:
    """Prune, and delete the accounts whose time has come, once a minute. Continue at once while a batch is full."""
    while not shutdown.requested:
        async with db_sessions.begin() as db:
            deleted = await prune(db)
        accounts = await deletion_requests.delete_due(db_sessions, ACCOUNTS_BATCH)
        if deleted < BATCH_SIZE and accounts < ACCOUNTS_BATCH:
            await shutdown.wait(INTERVAL_SECONDS)


async def check_backlog() -> str | None:
    """Return a reason if an event was not published for longer than OVERDUE_SECONDS, else None (a readiness check)."""
    async with db_sessions() as db:
        count, age = await outbox.backlog(db, OutboxRow)
    return f"{count} events are not published yet, the oldest is {age:.0f} s old" if age > OVERDUE_SECONDS else None


async def work() -> None:
    """Run the background jobs until SIGTERM."""
    relay = Relay(engine, OutboxRow, load_amqp_url(), PUBLISHED_TO["auth"], republish, Notifier(engine, "auth"))
    jobs: dict[str, runner.Job] = {
        "relay": relay.run,
        "measurement": partial(outbox.keep_measuring, db_sessions, OutboxRow),
        "pruning": prune_regularly,
    }
    warnings: dict[str, Check] = {}
    sender = mail_sender(db_sessions, settings)
    if sender is not None:
        measurement = MailMeasurement(db_sessions)
        jobs |= {
            "mail requests": mail_requests.RequestAnswerer(db_sessions).run,
            "mail sender": sender.run,
            "mail measurement": measurement.run,
        }
        warnings["mail"] = measurement.check
    try:
        await runner.run_jobs(
            jobs,
            {"database": schema_check("services.auth", engine), "backlog": check_backlog},
            host=settings.http_host,
            port=settings.auth_worker_port,
            warnings=warnings,
        )
    finally:
        await engine.dispose()
