"""List, resend, count and delete mails."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from kit.db.counting import count_and_oldest_age, count_up_to
from kit.observability.measured_gauge import MeasuredGauge
from kit.worker.shutdown import Shutdown
from services.auth.errors import MailNotFound, MailNotResendable
from services.auth.mail.models import Mail, MailStatus
from services.auth.mail.template_names import TEMPLATES

SENT_RETENTION = timedelta(days=7)
UNSENT_RETENTION = timedelta(days=30)
"""How long mails that were refused or have failed are kept: longer than sent ones, for operators who list them."""

WAITING_LIMIT = timedelta(hours=26)
"""`give_up_old` ends mails that have waited for longer than this. It is longer than sender.LIFETIME."""

MEASURE_SECONDS = 5.0
LATE_SECONDS = 300
"""A mail that waits for longer than this is worth a warning."""

mails_waiting = MeasuredGauge("auth_mails_waiting", "Mails that are not sent yet, at most 10,000 are counted")
oldest_mail_age = MeasuredGauge(
    "auth_mails_oldest_age_seconds",
    "Seconds since the oldest waiting mail was written, or was last sent again by an operator",
)
mails_failed = MeasuredGauge(
    "auth_mails_failed",
    "Mails of the last 30 days that could not be sent within a day",
)


async def list_mails(db: AsyncSession, status: MailStatus | None, limit: int) -> Sequence[Mail]:
    """Return up to `limit` mails, newest first."""
    query = select(Mail).order_by(Mail.created_at.desc()).limit(limit)
    return (await db.scalars(query if status is None else query.where(Mail.status == status))).all()


async def resend(db: AsyncSession, mail_id: UUID) -> Mail:
    """Make a mail due now, as if it had been written now. Return it as it was. Raises MailNotFound, MailNotResendable.

    A mail whose template has secrets can be sent again only while it waits, because afterwards its secrets are deleted.
    """
    mail = await db.get(Mail, mail_id, with_for_update=True)
    if mail is None:
        raise MailNotFound(f"There is no mail {mail_id}: `mail list` shows them.")
    if mail.status is not MailStatus.WAITING and TEMPLATES[mail.template].secrets:
        raise MailNotResendable(
            f"This mail is {mail.status}, and its token or code is deleted. The owner of the account can request a new mail."
        )
    await db.execute(
        update(Mail)
        .where(Mail.id == mail_id)
        .values(
            status=MailStatus.WAITING,
            next_attempt_at=func.now(),
            created_at=func.now(),
            attempts=0,
            ended_at=None,
            error=None,
        )
        .execution_options(synchronize_session=False)  # `mail` stays as it was
    )
    return mail


async def measure(db: AsyncSession) -> str | None:
    """Set the gauges. Return a sentence about late and failed mails, or None if there are none (a readiness warning)."""
    waiting = select(Mail.id).where(Mail.status == MailStatus.WAITING)
    count, age = await count_and_oldest_age(db, waiting, Mail.created_at)
    failed = await count_up_to(db, select(Mail.id).where(Mail.status == MailStatus.FAILED))
    mails_waiting.set(count)
    oldest_mail_age.set(age)
    mails_failed.set(failed)
    found = []
    if age > LATE_SECONDS:
        oldest = waiting.with_only_columns(Mail.error).order_by(Mail.created_at).limit(1)
        reason = await db.scalar(oldest)
        found.append(f"{count} mails wait, the oldest for {age:.0f} s" + (f": {reason}" if reason else ""))
    if failed:
        found.append(f"{failed} mails could not be sent within a day: see `mail list --status failed`")
    return "; ".join(found) or None


class MailMeasurement:
    """The background job that sets the gauges every few seconds, and the readiness warning."""

    def __init__(self, db_sessions: async_sessionmaker[AsyncSession]) -> None:
        self._db_sessions = db_sessions

    async def run(self, shutdown: Shutdown) -> None:
        """Measure until shutdown is requested."""
        while not shutdown.requested:
            await self.check()
            await shutdown.wait(MEASURE_SECONDS)

    async def check(self) -> str | None:
        """Measure once. Return what an operator should look at, or None."""
        async with self._db_sessions() as db:
            return await measure(db)


async def give_up_old(db: AsyncSession, limit: int) -> int:
    """End up to `limit` mails that wait although the sender should have given them up. Return their number.

    That happens while AUTH_SMTP_URL is not set any more: their secrets must not stay in the table.
    """
    waited_too_long = (Mail.status == MailStatus.WAITING) & (Mail.created_at < func.now() - WAITING_LIMIT)
    locked = select(Mail.id).where(waited_too_long).limit(limit).with_for_update(skip_locked=True).cte("locked")
    ended = await db.execute(
        update(Mail)
        .where(Mail.id.in_(select(locked)))
        .values(status=MailStatus.FAILED, next_attempt_at=None, secrets=None, ended_at=func.now())
        .returning(Mail.id)
    )
    return len(ended.all())


async def delete_old(db: AsyncSession, limit: int) -> int:
    """Delete up to `limit` sent mails older than SENT_RETENTION, and refused or failed ones older than UNSENT_RETENTION."""
    sent = (Mail.status == MailStatus.SENT) & (Mail.created_at < func.now() - SENT_RETENTION)
    given_up = Mail.status.in_([MailStatus.REFUSED, MailStatus.FAILED]) & (
        Mail.created_at < func.now() - UNSENT_RETENTION
    )
    locked = select(Mail.id).where(or_(sent, given_up)).limit(limit).with_for_update(skip_locked=True).cte("locked")
    deleted = await db.execute(delete(Mail).where(Mail.id.in_(select(locked))).returning(Mail.id))
    return len(deleted.all())
