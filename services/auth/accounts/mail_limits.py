"""The limit for the mails of each kind that anyone can request to an address: five, and then one in ten minutes. It is the same for unknown
addresses. Each kind has a bucket of its own: requests of one kind cannot use up the mails that an owner needs to get into the account.

The other limits of mails are here too, and the limit for wrong mail codes for an address.
"""

import hashlib
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import DateTime, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.auth.accounts.models import MailBucket
from services.auth.errors import TooManyMails
from services.auth.models import Account

CAPACITY = 5
REFILL = timedelta(minutes=10)
CHANGE_REFILL = timedelta(hours=1)
"""The limit for changes of the address of an account: CAPACITY at once, and then one in each CHANGE_REFILL."""

WRONG_CODES = 20
WRONG_CODE_REFILL = timedelta(days=1) / WRONG_CODES
"""The limit for wrong mail codes for one e-mail address: twenty at once, and then twenty a day."""

_NOW = func.clock_timestamp(type_=DateTime(timezone=True))
"""Not now(), which is the start of the transaction: the statement may have waited for a lock since then."""


class MailKind(StrEnum):
    """Kinds of mails. The first three have the values of RequestKind."""

    VERIFY_EMAIL = "verify_email"
    RESET_PASSWORD = "reset_password"  # noqa: S105 -- a kind, not a password
    CHANGE_EMAIL = "change_email"
    MAIL_CODE = "mail_code"
    REGISTRATION = "registration"


async def count_mail(db: AsyncSession, kind: MailKind, email: str) -> None:
    """Count a mail to an address. Raises TooManyMails."""
    await _count(db, f"{kind} {email}", REFILL)


async def count_change(db: AsyncSession, account_id: UUID) -> None:
    """Count a request to change the address of an account: each can send a mail to another stranger. Raises TooManyMails."""
    await _count(db, f"changes {account_id}", CHANGE_REFILL)


async def count_resend(db: AsyncSession, account_id: UUID) -> None:
    """Count a mail of an account that an operator sends again. Raises TooManyMails."""
    await _count(db, f"resends {account_id}", REFILL)


async def count_code(db: AsyncSession, email: str) -> bool:
    """Count an attempt with a mail code as a wrong one. Return False if there were too many for this address."""
    try:
        await _count(db, f"codes {email}", WRONG_CODE_REFILL, WRONG_CODES)
    except TooManyMails:
        return False
    return True


async def uncount_code(db: AsyncSession, email: str) -> None:
    """Undo `count_code`, because the code was correct."""
    counted = update(MailBucket).where(MailBucket.key_digest == _digest(f"codes {email}"))
    await db.execute(counted.values(full_at=MailBucket.full_at - WRONG_CODE_REFILL))


async def may_notify(db: AsyncSession, account: Account) -> bool:
    """Return whether an account may get a notice now. Notices to an address that is not verified are counted: it may be a stranger's."""
    if account.email_verified:
        return True
    try:
        await _count(db, f"notice {account.address}", REFILL)
    except TooManyMails:
        return False
    return True


def _digest(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


async def _count(db: AsyncSession, name: str, refill: timedelta, capacity: int = CAPACITY) -> None:
    digest = _digest(name)
    next_token_at = MailBucket.full_at - (capacity - 1) * refill
    counted = await db.execute(
        insert(MailBucket)
        .values(key_digest=digest, full_at=_NOW + refill)
        .on_conflict_do_update(
            index_elements=[MailBucket.key_digest],
            set_={"full_at": func.greatest(MailBucket.full_at, _NOW) + refill},
            where=next_token_at <= _NOW,
        )
        .returning(MailBucket.full_at)
    )
    if counted.first() is None:
        at: datetime = (await db.scalars(select(next_token_at).where(MailBucket.key_digest == digest))).one()
        raise TooManyMails((at - datetime.now(at.tzinfo)).total_seconds())


async def delete_full(db: AsyncSession, limit: int) -> int:
    """Delete up to `limit` buckets that are full again. Return their number. Skip those that another transaction has locked."""
    full = select(MailBucket.key_digest).where(MailBucket.full_at < func.now()).limit(limit)
    locked = full.with_for_update(skip_locked=True).cte("locked")
    deleted = await db.execute(
        delete(MailBucket).where(MailBucket.key_digest.in_(select(locked))).returning(MailBucket.key_digest)
    )
    return len(deleted.all())
