"""Refresh tokens: each token can be used once and is replaced by the next token. Reuse revokes the family (RFC 9700 section 4.14.2).

A token is `<family id>.<secret>`. If the family exists but its valid secret is another one, the token was used before, by its owner or by a
thief. The server cannot distinguish them, so it revokes the family, and the owner must log in again.
"""

import hashlib
import re
import secrets
from collections.abc import Set
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import structlog
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.auth.models import Account
from services.auth.sessions.models import RefreshFamily

IDLE_LIFETIME = timedelta(days=30)
ABSOLUTE_LIFETIME = timedelta(days=90)
TOKEN = re.compile(r"([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{43})")
log = structlog.get_logger("sessions")


@dataclass(frozen=True, slots=True)
class Rotation:
    """The result of using a refresh token."""

    account_id: UUID
    scopes: Set[str]
    """The scopes granted at login."""
    next_token: str


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


async def issue(session: AsyncSession, account: Account, scope: str) -> str:
    """Start a family and return its first token. The family expires after 30 days without use, at the latest 90 days after the login."""
    family_id, secret = secrets.token_urlsafe(16), secrets.token_urlsafe(32)
    row = insert(RefreshFamily).values(
        id=family_id,
        account_id=account.id,
        secret_digest=_digest(secret),
        scope=scope,
        expires_at=func.now() + IDLE_LIFETIME,
        absolute_expires_at=func.now() + ABSOLUTE_LIFETIME,
    )
    await session.execute(row)
    return f"{family_id}.{secret}"


async def rotate(session: AsyncSession, token: str) -> Rotation | None:
    """Use a refresh token. Return a Rotation, or None if the token is not valid.

    The caller must commit in both cases, because the family of a reused token is revoked, and the result is then None. If a token is used
    several times concurrently, one use succeeds and the others count as reuse.
    """
    parts = TOKEN.fullmatch(token)
    if parts is None:
        return None
    family_id, secret = parts.groups()
    next_secret = secrets.token_urlsafe(32)
    rotated = await session.execute(
        update(RefreshFamily)
        .where(
            RefreshFamily.id == family_id,
            RefreshFamily.secret_digest == _digest(secret),
            RefreshFamily.expires_at > func.now(),
        )
        .values(
            secret_digest=_digest(next_secret),
            expires_at=func.least(func.now() + IDLE_LIFETIME, RefreshFamily.absolute_expires_at),
        )
        .returning(RefreshFamily.account_id, RefreshFamily.scope)
    )
    row = rotated.one_or_none()
    if row is not None:
        account_id, scope = row
        return Rotation(account_id, frozenset(scope.split()), f"{family_id}.{next_secret}")
    revoked = await session.execute(
        delete(RefreshFamily)
        .where(RefreshFamily.id == family_id)
        .returning(RefreshFamily.account_id, RefreshFamily.expires_at > func.now())
    )
    for account_id, was_valid in revoked:
        if was_valid:
            log.warning("refresh token reused and family revoked", account_id=str(account_id))
    return None


async def revoke(session: AsyncSession, token: str) -> None:
    """Revoke the family of a token, even if the token was already used. Does nothing for an unknown token."""
    parts = TOKEN.fullmatch(token)
    if parts is not None:
        await session.execute(delete(RefreshFamily).where(RefreshFamily.id == parts[1]))


async def revoke_all(session: AsyncSession, account_id: UUID) -> None:
    """Revoke all families of an account. Access tokens that were already issued stay valid until they expire."""
    await session.execute(delete(RefreshFamily).where(RefreshFamily.account_id == account_id))


async def delete_expired(session: AsyncSession, limit: int) -> int:
    """Delete up to `limit` expired families. Return their number. Skip those that another worker is deleting."""
    expired = select(RefreshFamily.id).where(RefreshFamily.expires_at < func.now()).limit(limit)
    locked = expired.with_for_update(skip_locked=True).cte("locked")
    deleted = await session.execute(
        delete(RefreshFamily).where(RefreshFamily.id.in_(select(locked))).returning(RefreshFamily.id)
    )
    return len(deleted.all())
