"""Registrations with AUTH_REGISTRATION=verified: the account is created when its owner sends the token of a mail back.

So the answer and the statements are the same for an address with an account and without one, and nobody can occupy the address of another
person. Each registration has its own token, name and password: the one whose mail is confirmed counts.
"""

import hashlib
import secrets
from datetime import timedelta

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.auth.accounts import records
from services.auth.accounts.mail_limits import MailKind, count_mail
from services.auth.accounts.models import PendingRegistration
from services.auth.errors import TokenNotValid
from services.auth.mail.template_names import Template, in_words
from services.auth.mail.waiting import add_mail
from services.auth.models import Account

LIFETIME = timedelta(hours=24)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


async def add(db: AsyncSession, *, email: str, name: str | None, password_hash: str) -> None:
    """Store a registration until it is confirmed, at most for LIFETIME. Raises TooManyMails."""
    await count_mail(db, MailKind.REGISTRATION, email)
    values = {"email": email, "name": name, "password_hash": password_hash}
    await db.execute(insert(PendingRegistration).values(**values, expires_at=func.now() + LIFETIME))


async def answer_requests(db: AsyncSession, limit: int) -> int:
    """Write the mails of up to `limit` new registrations. Return their number.

    A new address gets a token. An address that has an account gets a mail that says so, and the registration is deleted.
    """
    new = PendingRegistration.token_digest.is_(None)
    waiting = select(PendingRegistration).where(new).order_by(PendingRegistration.id).limit(limit)
    found = (await db.scalars(waiting.with_for_update(skip_locked=True))).all()
    for row in found:
        account = await records.find_by_email(db, row.email)
        if account is not None or await records.is_reserved(db, row.email):
            account_id = None if account is None else account.id
            await add_mail(db, Template.EMAIL_TAKEN, row.email, account_id=account_id)
            await db.execute(delete(PendingRegistration).where(PendingRegistration.id == row.id))
            continue
        token = secrets.token_urlsafe(32)
        issued = update(PendingRegistration).where(PendingRegistration.id == row.id)
        await db.execute(issued.values(token_digest=_digest(token)))
        await add_mail(
            db,
            Template.VERIFY_EMAIL,
            row.email,
            account_id=None,
            context={"valid": in_words(LIFETIME)},
            secrets={"token": token},
        )
    return len(found)


async def confirm(db: AsyncSession, token: str) -> None:
    """Create the account of a registration, with a verified address. Raises TokenNotValid, EmailTaken."""
    valid = (PendingRegistration.token_digest == _digest(token), PendingRegistration.expires_at > func.now())
    used: PendingRegistration | None = await db.scalar(
        delete(PendingRegistration).where(*valid).returning(PendingRegistration)
    )
    if used is None:
        raise TokenNotValid
    account = await records.create(db, email=used.email, name=used.name, password_hash=used.password_hash)
    await db.execute(update(Account).where(Account.id == account.id).values(email_verified_at=func.now()))
    await db.execute(delete(PendingRegistration).where(PendingRegistration.email == used.email))


async def delete_expired(db: AsyncSession, limit: int) -> int:
    """Delete up to `limit` expired registrations. Return their number. Skip those that another worker is deleting."""
    expired = select(PendingRegistration.id).where(PendingRegistration.expires_at < func.now()).limit(limit)
    locked = expired.with_for_update(skip_locked=True).cte("locked")
    deleted = await db.execute(
        delete(PendingRegistration).where(PendingRegistration.id.in_(select(locked))).returning(PendingRegistration.id)
    )
    return len(deleted.all())
