"""The mails of an account, for operators."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from kit.audit import entries as audit
from services.auth.accounts.mail_limits import count_resend
from services.auth.errors import MailNotFound
from services.auth.mail import records
from services.auth.mail.models import Mail
from services.auth.mail.waiting import require_mail
from services.auth.management import acts
from services.auth.management.operators import Operator, get_locked
from services.auth.models import AuditLogEntry

MAX_LISTED = 100


async def list_newest(db: AsyncSession, account_id: UUID) -> Sequence[Mail]:
    """Return the last MAX_LISTED mails of an account, newest first. Raises AccountNotFound."""
    await acts.get(db, account_id)
    of_account = select(Mail).where(Mail.account_id == account_id)
    return (await db.scalars(of_account.order_by(Mail.created_at.desc(), Mail.id).limit(MAX_LISTED))).all()


async def resend(db: AsyncSession, operator: Operator, account_id: UUID, mail_id: UUID) -> Mail:
    """Make a mail of an account due now, and record it. Return the mail.

    Raises MailNotConfigured, AccountNotFound, ScopesNotHeld, MailNotFound, MailNotResendable, TooManyMails.
    """
    require_mail()
    account = await get_locked(db, operator, account_id)
    if await db.scalar(select(Mail.id).where(Mail.id == mail_id, Mail.account_id == account.id)) is None:
        raise MailNotFound
    await count_resend(db, account.id)
    mail = await records.resend(db, mail_id)
    before = {"mail": str(mail_id), "template": mail.template, "status": mail.status}
    await audit.record(db, AuditLogEntry, operator.actor, "mail.resent", account.id, before=before)
    await db.refresh(mail)
    return mail
