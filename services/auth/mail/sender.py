"""The background job that sends mail.

Each mail is sent at least once: the server accepts it before that can be committed, so a mail is sent again if the process dies or the
database fails between the two. Both copies have the same Message-ID, by which the recipient's server or mail program can recognise them.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from prometheus_client import Counter
from sqlalchemy import ColumnElement, case, func, null, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from kit.log_throttling import log_failure, log_throttled
from kit.worker.backoff import Backoff
from kit.worker.due_rows import take_due
from kit.worker.shutdown import Shutdown
from services.auth.mail.messages import Messages, TemplateUnusable
from services.auth.mail.models import Mail, MailStatus
from services.auth.mail.smtp import MailRejected, ServerUnavailable, SmtpClient, SmtpConnection
from services.auth.mail.template_names import Template

BATCH_SIZE = 10
BATCH_SECONDS = 15.0
"""No further mail of a batch is begun after this time."""

LEASE = timedelta(seconds=90)
"""Longer than a connection, a batch and its last mail take together (twice smtp.MAIL_SECONDS, and BATCH_SECONDS), and much shorter than
a mail code is valid: if the worker is killed while it sends a batch, the mails of the batch arrive this much later."""

POLL_SECONDS = 1.0
LIFETIME = timedelta(hours=24)
"""A mail that the server has not accepted after this time has failed."""

OUTAGE_BACKOFF = Backoff(first=1, longest=30)
"""The pauses between two connections while the server is unavailable."""

REJECTION_BACKOFF = Backoff(first=30, longest=1800)
"""The pauses between attempts to send a mail that the server has rejected for the time being, for example because it limits the rate."""

mails_total = Counter(
    "auth_mails_total",
    "Attempts to send a mail, by result: sent, rejected (it is tried again), refused (the recipient does not exist), failed, unavailable",
    ["result"],
)
log = structlog.get_logger("mail")


@dataclass(frozen=True, slots=True)
class DueMail:
    """A mail that this worker has taken."""

    id: UUID
    account_id: UUID | None
    recipient: str
    template: Template
    context: dict[str, str]
    secrets: dict[str, str] | None
    attempts: int
    created_at: datetime


class Sender:
    """Sends due mails in batches, one after another over one connection."""

    def __init__(self, db_sessions: async_sessionmaker[AsyncSession], smtp: SmtpClient, messages: Messages) -> None:
        self._db_sessions = db_sessions
        self.smtp = smtp
        self.messages = messages
        self._outages = 0
        """Batches in a row that failed because the server was unavailable."""

    async def run(self, shutdown: Shutdown) -> None:
        """Send mails until shutdown is requested."""
        while not shutdown.requested:
            taken = await self.send_batch(shutdown)
            if self._outages:
                await shutdown.wait(OUTAGE_BACKOFF.seconds(self._outages - 1))
            elif taken < BATCH_SIZE:
                await shutdown.wait(POLL_SECONDS)

    async def send_batch(self, shutdown: Shutdown) -> int:
        """Take up to BATCH_SIZE due mails and send them. Return their number. What could not be sent is due again later."""
        async with self._db_sessions.begin() as db:
            mails = await _take(db)
        if not mails:
            return 0
        waiting = list(mails)
        try:
            async with self.smtp.connected() as connection:
                self._outages = 0
                started_at = time.monotonic()
                while waiting and not shutdown.requested and time.monotonic() - started_at < BATCH_SECONDS:
                    await self._send(connection, waiting[0])
                    waiting.pop(0)
        except ServerUnavailable as error:
            self._outages += 1
            mails_total.labels("unavailable").inc()
            log_failure(log.warning, "mail server unavailable", error)
            await self._postpone(waiting, str(error))
        else:
            await self._postpone(waiting, None)
        return len(mails)

    async def _send(self, connection: SmtpConnection, mail: DueMail) -> None:
        values = {**mail.context, **(mail.secrets or {})}
        try:
            message = self.messages.build(
                mail.template, mail.recipient, values, mail_id=mail.id, created_at=mail.created_at
            )
            await connection.send(message)
        except TemplateUnusable as error:
            log_throttled(log.error, "mail template unusable", about=mail.template, reason=str(error))
            await self._not_sent(mail, str(error))
        except MailRejected as error:
            await self._not_sent(mail, str(error), permanent=error.permanent)
        else:
            await self._end(mail, MailStatus.SENT, None)

    async def _not_sent(self, mail: DueMail, reason: str, *, permanent: bool = False) -> None:
        if permanent:
            await self._end(mail, MailStatus.REFUSED, reason)
            return
        async with self._db_sessions.begin() as db:
            pause = timedelta(seconds=REJECTION_BACKOFF.seconds(mail.attempts - 1))
            status = await _retry_or_give_up(db, mail.id, func.now() + pause, reason)
        result = "failed" if status is MailStatus.FAILED else "rejected"
        mails_total.labels(result).inc()
        log.warning(f"mail {result}", mail_id=str(mail.id), template=mail.template, attempts=mail.attempts)

    async def _end(self, mail: DueMail, status: MailStatus, reason: str | None) -> None:
        async with self._db_sessions.begin() as db:
            await db.execute(
                update(Mail)
                .where(Mail.id == mail.id, Mail.status == MailStatus.WAITING)
                .values(status=status, ended_at=func.now(), next_attempt_at=None, secrets=None, error=reason)
            )
        mails_total.labels(status).inc()
        log.info(f"mail {status}", mail_id=str(mail.id), template=mail.template, account_id=str(mail.account_id))

    async def _postpone(self, mails: Sequence[DueMail], reason: str | None) -> None:
        """Make mails due again that were not sent: the server was unavailable, or there was no time for them. It is not an attempt."""
        seconds = OUTAGE_BACKOFF.seconds(self._outages - 1) if self._outages else 0
        failed: list[DueMail] = []
        async with self._db_sessions.begin() as db:
            for mail in mails:
                due_at = func.now() + timedelta(seconds=seconds)
                status = await _retry_or_give_up(db, mail.id, due_at, reason, attempts=mail.attempts - 1)
                if status is MailStatus.FAILED:
                    failed.append(mail)
        for mail in failed:
            mails_total.labels("failed").inc()
            log.warning("mail failed", mail_id=str(mail.id), template=mail.template, attempts=mail.attempts)


async def _take(db: AsyncSession) -> list[DueMail]:
    taken = await db.execute(
        take_due(
            Mail.id,
            Mail.account_id,
            Mail.recipient,
            Mail.template,
            Mail.context,
            Mail.secrets,
            Mail.attempts,
            Mail.created_at,
            key=Mail.id,
            due_at=Mail.next_attempt_at,
            attempts=Mail.attempts,
            lease=LEASE,
            where=[Mail.status == MailStatus.WAITING],
            limit=BATCH_SIZE,
        )
    )
    return sorted((DueMail(*row) for row in taken), key=lambda mail: mail.created_at)


async def _retry_or_give_up(
    db: AsyncSession,
    mail_id: UUID,
    due_at: ColumnElement[datetime],
    reason: str | None,
    *,
    attempts: int | None = None,
) -> MailStatus | None:
    """Make a mail due again, or end it if it is older than LIFETIME. Return its status; None if it does not wait any more."""
    too_old = Mail.created_at < func.now() - LIFETIME
    values: dict[str, object] = {
        "status": case((too_old, MailStatus.FAILED), else_=MailStatus.WAITING),
        "ended_at": case((too_old, func.now())),
        "next_attempt_at": case((too_old, null()), else_=due_at),
        "secrets": case((too_old, null()), else_=Mail.secrets),
        "error": reason,
    }
    if attempts is not None:
        values["attempts"] = attempts
    changed = update(Mail).where(Mail.id == mail_id, Mail.status == MailStatus.WAITING).values(values)
    status: MailStatus | None = await db.scalar(changed.returning(Mail.status))
    return status
