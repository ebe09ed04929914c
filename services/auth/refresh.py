"""Refresh tokens: good for one use, each use gives the next. An old one that comes again ends its whole family (RFC 9700 section 4.14.2).

A token is `<family>.<secret>`. The family's row holds the SHA-256 of the one secret that is good now, so any other secret of a family
that is still here was used before, by its owner or by a thief; which of them, nobody can tell, and both must log in again.
"""

import hashlib
import re
import secrets
from collections.abc import Set
from datetime import timedelta
from uuid import UUID

import structlog
from sqlalchemy import delete, func, insert, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.auth.models import Account, RefreshFamily

UNUSED = timedelta(days=30)
ABSOLUTE = timedelta(days=90)
FORM = re.compile(r"([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{43})")
log = structlog.get_logger("refresh")


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


async def begin(session: AsyncSession, account: Account, scope: str) -> str:
    """The first token of a new family. It dies after 30 days without use, and with its family after 90 days."""
    family, secret = secrets.token_urlsafe(16), secrets.token_urlsafe(32)
    row = insert(RefreshFamily).values(
        id=family,
        account_id=account.id,
        digest=_digest(secret),
        scope=scope,
        expires_at=func.now() + UNUSED,
        ends_at=func.now() + ABSOLUTE,
    )
    await session.execute(row)
    return f"{family}.{secret}"


async def rotate(session: AsyncSession, token: str) -> tuple[UUID, Set[str], str] | None:
    """The account, what was granted at its login, and the next token. None where this token is good no longer: commit then too,
    since its family has ended. Of several at once, one wins; the others come with an old token.
    """
    parts = FORM.fullmatch(token)
    if parts is None:
        return None
    family, secret = parts.groups()
    following = secrets.token_urlsafe(32)
    used = await session.execute(
        update(RefreshFamily)
        .where(
            RefreshFamily.id == family,
            RefreshFamily.digest == _digest(secret),
            RefreshFamily.expires_at > func.now(),
        )
        .values(digest=_digest(following), expires_at=func.least(func.now() + UNUSED, RefreshFamily.ends_at))
        .returning(RefreshFamily.account_id, RefreshFamily.scope)
    )
    row = used.one_or_none()
    if row is not None:
        return row.account_id, set(row.scope.split()), f"{family}.{following}"
    ended = await session.execute(
        delete(RefreshFamily)
        .where(RefreshFamily.id == family)
        .returning(RefreshFamily.account_id, RefreshFamily.expires_at > func.now())
    )
    for account_id, still_good in ended:
        if still_good:
            log.warning("a refresh token came again: its family has ended", account_id=str(account_id))
    return None


async def end(session: AsyncSession, token: str) -> None:
    """Log out: the family of this token ends, whichever of its tokens it is."""
    parts = FORM.fullmatch(token)
    if parts is not None:
        await session.execute(delete(RefreshFamily).where(RefreshFamily.id == parts[1]))


async def end_all(session: AsyncSession, account_id: UUID) -> None:
    """Nobody stays logged in to this account for longer than an access token lives."""
    await session.execute(delete(RefreshFamily).where(RefreshFamily.account_id == account_id))
