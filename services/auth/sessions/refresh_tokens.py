"""Refresh tokens: each token is used once and is replaced by its child. Reuse revokes the family (RFC 9700 section 4.14.2).

A token is `<family id>.<secret>`. The secret of a child is an HMAC of its parent's, so the same child can be issued again: a client that
did not receive the response, or sent the token several times at once, gets the same child if it sends the parent again within 10 seconds.

Any other used token means that its owner and a thief both have it. The server cannot distinguish them, so it revokes the family, and the
owner must log in again.
"""

import base64
import hashlib
import hmac
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
RETRY_PERIOD = timedelta(seconds=10)
"""How long after its first use a token returns the same child."""

TOKEN = re.compile(r"([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{43})")
log = structlog.get_logger("sessions")


@dataclass(frozen=True, slots=True)
class Rotation:
    """The result of using a refresh token."""

    account_id: UUID
    client_id: str
    sid: str
    scopes: Set[str]
    """The scopes granted at login."""
    next_token: str


@dataclass(frozen=True, slots=True)
class Login:
    """A new session."""

    sid: str
    refresh_token: str


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _child_secret(refresh_secret: bytes, token: str) -> str:
    """Return the secret of a token's child. Without the refresh secret, nobody can compute it from the token."""
    derived = hmac.digest(refresh_secret, token.encode(), "sha256")
    return base64.urlsafe_b64encode(derived).rstrip(b"=").decode()


async def issue(session: AsyncSession, account: Account, client_id: str, scope: str) -> Login:
    """Start a family. It expires after 30 days without use, at the latest 90 days after the login."""
    family_id, sid, secret = secrets.token_urlsafe(16), secrets.token_urlsafe(16), secrets.token_urlsafe(32)
    row = insert(RefreshFamily).values(
        id=family_id,
        sid=sid,
        account_id=account.id,
        client_id=client_id,
        secret_digest=_digest(secret),
        scope=scope,
        expires_at=func.now() + IDLE_LIFETIME,
        absolute_expires_at=func.now() + ABSOLUTE_LIFETIME,
    )
    await session.execute(row)
    return Login(sid, f"{family_id}.{secret}")


async def rotate(
    session: AsyncSession, token: str, refresh_secret: bytes, client_id: str | None = None
) -> Rotation | None:
    """Use a refresh token. Return a Rotation, or None if the token is not valid, or was issued to another client than `client_id`.

    The caller must commit in both cases, because the family of a reused token is revoked, and the result is then None.
    """
    parts = TOKEN.fullmatch(token)
    if parts is None:
        return None
    family_id, secret = parts.groups()
    child_secret = _child_secret(refresh_secret, token)
    if client_id is not None and not await belongs_to(session, token, client_id):
        return None
    family = (RefreshFamily.id == family_id, RefreshFamily.expires_at > func.now())
    granted = RefreshFamily.account_id, RefreshFamily.client_id, RefreshFamily.sid, RefreshFamily.scope
    rotated = await session.execute(
        update(RefreshFamily)
        .where(*family, RefreshFamily.secret_digest == _digest(secret))
        .values(
            secret_digest=_digest(child_secret),
            parent_digest=RefreshFamily.secret_digest,
            rotated_at=func.now(),
            expires_at=func.least(func.now() + IDLE_LIFETIME, RefreshFamily.absolute_expires_at),
        )
        .returning(*granted)
    )
    row = rotated.one_or_none()
    if row is None:
        repeated = select(*granted).where(
            *family,
            RefreshFamily.parent_digest == _digest(secret),
            # Both are compared: after a change of the refresh secret, the derived child is not the one that was issued.
            RefreshFamily.secret_digest == _digest(child_secret),
            RefreshFamily.rotated_at > func.clock_timestamp() - RETRY_PERIOD,
        )
        row = (await session.execute(repeated)).one_or_none()
    if row is not None:
        account_id, client, sid, scope = row
        return Rotation(account_id, client, sid, frozenset(scope.split()), f"{family_id}.{child_secret}")
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


async def belongs_to(session: AsyncSession, token: str, client_id: str) -> bool:
    """Return False if the family of a token was issued to another client. An unknown token belongs to every client."""
    owner = select(RefreshFamily.client_id).where(RefreshFamily.id == token.partition(".")[0])
    return await session.scalar(owner) in {None, client_id}


async def end_session(session: AsyncSession, sid: str) -> None:
    """Revoke the family of a session. Does nothing for an unknown session."""
    await session.execute(delete(RefreshFamily).where(RefreshFamily.sid == sid))


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
