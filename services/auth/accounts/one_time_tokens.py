"""Tokens in mails: 256 random bits, stored as a digest, used once."""

import hashlib
import secrets
from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.auth.accounts import records
from services.auth.accounts.models import OneTimeToken, TokenPurpose
from services.auth.errors import TokenNotValid

LIFETIMES: Mapping[TokenPurpose, timedelta] = {
    TokenPurpose.VERIFY_EMAIL: timedelta(hours=24),
    TokenPurpose.RESET_PASSWORD: timedelta(minutes=15),
    TokenPurpose.CHANGE_EMAIL: timedelta(hours=24),
    TokenPurpose.UNDO_EMAIL_CHANGE: timedelta(days=7),
}


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


async def issue(db: AsyncSession, purpose: TokenPurpose, account_id: UUID, email: str) -> str:
    """Return a new token for an account, which is sent to `email`. Earlier tokens stay valid: their mails may arrive later."""
    token = secrets.token_urlsafe(32)
    await db.execute(
        insert(OneTimeToken).values(
            digest=_digest(token),
            purpose=purpose,
            account_id=account_id,
            email=email,
            expires_at=func.now() + LIFETIMES[purpose],
        )
    )
    return token


async def find(db: AsyncSession, token: str, purpose: TokenPurpose) -> OneTimeToken:
    """Return a token that can be used, without using it. Raises TokenNotValid."""
    valid = (OneTimeToken.purpose == purpose, OneTimeToken.expires_at > func.now())
    found: OneTimeToken | None = await db.scalar(
        select(OneTimeToken).where(OneTimeToken.digest == _digest(token), *valid)
    )
    if found is None:
        raise TokenNotValid
    return found


async def use(db: AsyncSession, token: str, *purposes: TokenPurpose) -> OneTimeToken:
    """Lock the account of a token, delete the token and return it. Of concurrent uses, one succeeds.

    Raises TokenNotValid if it is unknown, used or expired.
    """
    valid = (
        OneTimeToken.digest == _digest(token),
        OneTimeToken.purpose.in_(purposes),
        OneTimeToken.expires_at > func.now(),
    )
    account_id = await db.scalar(select(OneTimeToken.account_id).where(*valid))
    if account_id is None:
        raise TokenNotValid
    # Lock the account before the token, as everywhere: concurrent uses of two tokens of an account would deadlock otherwise.
    await records.lock(db, account_id)
    found: OneTimeToken | None = await db.scalar(delete(OneTimeToken).where(*valid).returning(OneTimeToken))
    if found is None:
        raise TokenNotValid
    return found


async def revoke(db: AsyncSession, account_id: UUID, *purposes: TokenPurpose) -> None:
    """Delete the tokens of an account for these purposes."""
    await db.execute(
        delete(OneTimeToken).where(OneTimeToken.account_id == account_id, OneTimeToken.purpose.in_(purposes))
    )


async def delete_expired(db: AsyncSession, limit: int) -> int:
    """Delete up to `limit` expired tokens. Return their number. Skip those that another worker is deleting."""
    expired = select(OneTimeToken.digest).where(OneTimeToken.expires_at < func.now()).limit(limit)
    locked = expired.with_for_update(skip_locked=True).cte("locked")
    deleted = await db.execute(
        delete(OneTimeToken).where(OneTimeToken.digest.in_(select(locked))).returning(OneTimeToken.digest)
    )
    return len(deleted.all())
