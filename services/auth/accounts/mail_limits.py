"""The limit of mails of each kind that anyone can cause to one address: five, and then one in ten minutes. It is the same for unknown
addresses. Each kind has a bucket of its own: requests of one kind cannot use up the mails that an owner needs to get into the account.
"""

import hashlib
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import DateTime, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.auth.accounts.models import MailBucket
from services.auth.errors import TooManyMails

CAPACITY = 5
REFILL = timedelta(minutes=10)
_NOW = func.clock_timestamp(type_=DateTime(timezone=True))
"""Not now(), which is the start of the transaction: the statement may have waited for a lock since then."""


class MailKind(StrEnum):
    """Kinds of mails. The first three have the values of RequestKind."""

    VERIFY_EMAIL = "verify_email"
    RESET_PASSWORD = "reset_password"  # noqa: S105 -- a kind, not a password
    CHANGE_EMAIL = "change_email"
    SIGN_IN_CODE = "sign_in_code"
    REGISTRATION = "registration"


async def count_mail(session: AsyncSession, kind: MailKind, email: str) -> None:
    """Count a mail to an address. Raises TooManyMails."""
    digest = hashlib.sha256(f"{kind} {email}".encode()).digest()
    next_mail_at = MailBucket.full_at - (CAPACITY - 1) * REFILL
    counted = await session.execute(
        insert(MailBucket)
        .values(email_digest=digest, full_at=_NOW + REFILL)
        .on_conflict_do_update(
            index_elements=[MailBucket.email_digest],
            set_={"full_at": func.greatest(MailBucket.full_at, _NOW) + REFILL},
            where=next_mail_at <= _NOW,
        )
        .returning(MailBucket.full_at)
    )
    if counted.first() is None:
        at: datetime = (await session.scalars(select(next_mail_at).where(MailBucket.email_digest == digest))).one()
        raise TooManyMails((at - datetime.now(at.tzinfo)).total_seconds())


async def delete_full(session: AsyncSession, limit: int) -> int:
    """Delete up to `limit` buckets that are full again. Return their number. Skip those that another transaction has locked."""
    full = select(MailBucket.email_digest).where(MailBucket.full_at < func.now()).limit(limit)
    locked = full.with_for_update(skip_locked=True).cte("locked")
    deleted = await session.execute(
        delete(MailBucket).where(MailBucket.email_digest.in_(select(locked))).returning(MailBucket.email_digest)
    )
    return len(deleted.all())
