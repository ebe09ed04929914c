"""Codes of six digits with which the owner of an address logs in. A code works only on the device that asked for it, and only for
customers: a person who reads the mails of an administrator, or guesses a code, must not get the scopes of that account.

The device gets a challenge of 256 random bits, which only it has. After the mail was sent, the database has only the SHA-256 of challenge
and code, so its reader cannot find the code by trying a million of them. Five attempts are allowed. With the limit of wrong codes for an
address (mail_limits.py), a guesser has at most forty attempts on the first day, 1 chance in 25,000, and twenty on each further day. While
the limit is used up, codes for this address are refused, and the owner logs in with the password instead.
"""

import hashlib
import secrets
from datetime import timedelta

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from kit.db.locks import for_no_key_update
from services.auth.accounts.mail_limits import MailKind, count_code, count_mail, uncount_code
from services.auth.accounts.models import MailCode
from services.auth.accounts.records import find_by_email
from services.auth.mail.template_names import Template, in_words
from services.auth.mail.waiting import add_mail, require_mail
from services.auth.models import CUSTOMER, Account

DIGITS = 6
MAX_ATTEMPTS = 5
LIFETIME = timedelta(minutes=10)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()


async def request_code(db: AsyncSession, email: str) -> str:
    """Ask the worker for a mail with a code, if the address has a customer's account, and return the challenge.

    The statements are the same for every address. Raises MailNotConfigured, TooManyMails.
    """
    require_mail()
    await count_mail(db, MailKind.MAIL_CODE, email)
    challenge, code = secrets.token_urlsafe(32), f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"
    await db.execute(
        insert(MailCode).values(
            challenge_digest=_digest(challenge),
            code_digest=_digest(f"{challenge} {code}"),
            code=code,
            email=email,
            expires_at=func.now() + LIFETIME,
        )
    )
    return challenge


async def answer_requests(db: AsyncSession, limit: int) -> int:
    """Handle up to `limit` waiting codes: write the mail if the address has a customer's account, and clear `code`; the digest stays.

    Return their number.
    """
    waiting = select(MailCode).where(MailCode.code.is_not(None)).order_by(MailCode.created_at).limit(limit)
    found = (await db.scalars(waiting.with_for_update(skip_locked=True))).all()
    for row in found:
        account = await find_by_email(db, row.email)
        if account is not None and account.role == CUSTOMER and row.code is not None:
            row.account_id = account.id
            await add_mail(
                db,
                Template.MAIL_CODE,
                row.email,
                account_id=account.id,
                context={"valid": in_words(LIFETIME)},
                secrets={"code": row.code},
            )
        row.code = None
    return len(found)


async def use(db: AsyncSession, challenge: str, code: str) -> Account | None:
    """Use a code, and return its account with its role. Return None if it is wrong, used or expired, or if there were too many
    wrong codes for its address (mail_limits.WRONG_CODES); an attempt with a valid challenge is counted.

    The caller must commit in both cases.
    """
    same_challenge = MailCode.challenge_digest == _digest(challenge)
    # Lock the account before the code, as recovery.py does. It is one statement, whether the address has an account or not.
    account_id = select(MailCode.account_id).where(same_challenge).scalar_subquery()
    await db.execute(for_no_key_update(select(Account.id).where(Account.id == account_id)))
    tried = await db.execute(
        update(MailCode)
        .where(same_challenge, MailCode.expires_at > func.now(), MailCode.attempts < MAX_ATTEMPTS)
        .values(attempts=MailCode.attempts + 1)
        .returning(MailCode.code_digest, MailCode.account_id, MailCode.email)
    )
    found = tried.one_or_none()
    allowed = found is not None and await count_code(db, found.email)
    expected = found.code_digest if found is not None and allowed else b""
    if not secrets.compare_digest(expected, _digest(f"{challenge} {code}")) or found is None:
        return None
    await uncount_code(db, found.email)
    await db.execute(delete(MailCode).where(same_challenge))
    # The account may have got another address or a staff role since the mail was sent.
    same_customer = (Account.id == found.account_id, Account.email == found.email, Account.role == CUSTOMER)
    await db.execute(
        update(Account)
        .where(*same_customer)
        .values(email_verified_at=func.coalesce(Account.email_verified_at, func.now()))
    )
    account: Account | None = await db.scalar(
        select(Account).where(*same_customer).options(joinedload(Account.role_row))
    )
    return account


async def delete_expired(db: AsyncSession, limit: int) -> int:
    """Delete up to `limit` expired codes. Return their number. Skip those that another worker is deleting."""
    expired = select(MailCode.challenge_digest).where(MailCode.expires_at < func.now()).limit(limit)
    locked = expired.with_for_update(skip_locked=True).cte("locked")
    deleted = await db.execute(
        delete(MailCode).where(MailCode.challenge_digest.in_(select(locked))).returning(MailCode.challenge_digest)
    )
    return len(deleted.all())
