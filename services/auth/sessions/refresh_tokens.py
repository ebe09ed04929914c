"""Refresh tokens: each token is used once and is replaced by its child. Reuse ends the session (RFC 9700 section 4.14.2).

A token is `<prefix>.<secret>`; all tokens of a session have the same prefix. The secret of a child is an HMAC of the parent token under a
key that only the server has, so the same child can be issued again: a client that did not receive the response, or sent the token several
times at the same time, gets the same child if it sends the parent again within 10 seconds.

Any other used token means that its owner and a thief both have it. The server cannot distinguish them, so it ends the session, and the
owner must log in again.
"""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from kit.db.after_commit import after_commit
from kit.db.driver import ConnectionLost
from services.auth.errors import AccountBanned, InvalidGrant
from services.auth.metrics import refresh_tokens_reused_total
from services.auth.models import Account
from services.auth.sessions import refresh_statements as statements
from services.auth.sessions.details import SessionDetails
from services.auth.sessions.log_names import hash_name
from services.auth.sessions.models import LoginSession
from services.auth.sessions.revocations import end_sessions

IDLE_LIFETIME = timedelta(days=30)
GUEST_IDLE_LIFETIME = timedelta(hours=24)
TOKEN = re.compile(r"([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{43})")
log = structlog.get_logger("sessions")


@dataclass(frozen=True, slots=True)
class Rotation:
    """The result of using a refresh token: the next one, and the claims of the access token."""

    account_id: UUID
    client_id: str
    sid: str
    scopes: frozenset[str]
    """The scopes granted at login that the account's role and the client still have."""
    email: str | None
    email_verified: bool
    name: str | None
    next_token: str


@dataclass(frozen=True, slots=True)
class NewSession:
    """A new session: the `sid` of its access tokens, and its first refresh token."""

    sid: str
    refresh_token: str


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _child_secret(refresh_token_key: bytes, token: str) -> str:
    """Return the secret of a token's child: an HMAC of the parent token under a key that only the server has."""
    derived = hmac.digest(refresh_token_key, token.encode(), "sha256")
    return base64.urlsafe_b64encode(derived).rstrip(b"=").decode()


async def begin_session(
    db: AsyncSession, account: Account, client_id: str, scope: str, details: SessionDetails
) -> NewSession:
    """Begin a session. It expires after 30 days without use (a guest's after 24 hours), at the latest 90 days after the login.

    Raises InvalidGrant if the password or the role was changed, or the account deleted, after `account` was read, and AccountBanned.
    """
    read = {"account_id": account.id, "read_hash": account.password_hash, "read_role": account.role}
    found = (await db.execute(statements.LOCK_UNCHANGED_ACCOUNT, read)).one_or_none()
    if found is None:
        raise InvalidGrant("The account was changed during the login. Log in again.")
    banned, banned_until = found
    if banned:
        raise AccountBanned(banned_until)
    idle_lifetime = GUEST_IDLE_LIFETIME if account.email is None else IDLE_LIFETIME
    token_prefix, sid, secret = secrets.token_urlsafe(16), secrets.token_urlsafe(16), secrets.token_urlsafe(32)
    values = {
        "new_token_prefix": token_prefix,
        "new_sid": sid,
        "new_account_id": account.id,
        "new_client_id": client_id,
        "new_digest": _digest(secret),
        "new_scope": scope,
        "lifetime": idle_lifetime,
        "new_device": details.device,
        "new_address": details.address,
    }
    await db.execute(statements.INSERT_SESSION, values)
    return NewSession(sid, f"{token_prefix}.{secret}")


async def rotate_without_transaction(
    engine: AsyncEngine, token: str, refresh_token_key: bytes, details: SessionDetails, client_id: str | None = None
) -> Rotation | None:
    """Use a refresh token that was not used before, with one statement and without a transaction: nearly every refresh is one of these.

    Return None if `rotate` has to decide: the token was used or is not valid, or was issued to another client than the public client
    `client_id`, or the connection was lost. In the last case the statement may have been committed: `rotate` then returns the same child.
    """
    use = _use_of(token, refresh_token_key, details, client_id)
    if use is None:
        return None
    try:
        rows = await statements.ROTATE_WITHOUT_TRANSACTION.fetch_alone(engine, **use.values)
    except ConnectionLost:
        return None
    return use.rotation(rows[0]) if rows else None


async def rotate(
    db: AsyncSession, token: str, refresh_token_key: bytes, details: SessionDetails, client_id: str | None = None
) -> Rotation | None:
    """Use a refresh token. Return a Rotation, or None if the token is not valid, or was issued to another client than `client_id`.

    The caller must commit even if the result is None: the session of a reused token was ended then.
    """
    use = _use_of(token, refresh_token_key, details, client_id)
    if use is None:
        return None
    row = (await db.execute(statements.ROTATE, use.values)).one_or_none()
    if row is None:
        if client_id is not None and not await belongs_to(db, token, client_id):
            return None
        row = (await db.execute(statements.SELECT_REPEATED, use.values)).one_or_none()
    if row is None:
        await _end_reused(db, use.token_prefix, refresh_token_key, details)
        return None
    return use.rotation(row)


@dataclass(frozen=True, slots=True)
class _UseOfToken:
    """One use of a refresh token: the parameters of the statements, and the next token."""

    token_prefix: str
    next_token: str
    values: Mapping[str, object]

    def rotation(self, row: Iterable[Any]) -> Rotation:
        """Return the result for a row with the columns _GRANTED."""
        account_id, client, sid, granted, role_scope, client_scope, email, email_verified, name = row
        scopes = frozenset(granted.split()).intersection(role_scope.split(), client_scope.split())
        return Rotation(account_id, client, sid, scopes, email, email_verified, name, self.next_token)


def _use_of(token: str, refresh_token_key: bytes, details: SessionDetails, client_id: str | None) -> _UseOfToken | None:
    """Return what the statements need, or None if the token is malformed."""
    parts = TOKEN.fullmatch(token)
    if parts is None:
        return None
    token_prefix, secret = parts.groups()
    child_secret = _child_secret(refresh_token_key, token)
    values = {
        "sent_prefix": token_prefix,
        "sent_digest": _digest(secret),
        "child_digest": _digest(child_secret),
        "sending_client_id": client_id,
        "new_device": details.device,
        "new_address": details.address,
    }
    return _UseOfToken(token_prefix, f"{token_prefix}.{child_secret}", values)


async def _end_reused(db: AsyncSession, token_prefix: str, refresh_token_key: bytes, details: SessionDetails) -> None:
    """End the session of a token that was used before. Does nothing for an unknown one."""
    for account_id, was_valid in await end_sessions(db, LoginSession.token_prefix == token_prefix):
        if was_valid:
            email = await db.scalar(select(Account.email).where(Account.id == account_id))
            name_hash = None if email is None else hash_name(refresh_token_key, email)
            message = "refresh token reused and session ended"
            about = {"account_id": str(account_id), "address": details.address, "name_hash": name_hash}
            after_commit(db, log.warning, message, **about)
            after_commit(db, refresh_tokens_reused_total.inc)


async def revoke(db: AsyncSession, token: str) -> None:
    """End the session of a token, even if the token was already used. Does nothing for an unknown token."""
    parts = TOKEN.fullmatch(token)
    if parts is not None:
        await end_sessions(db, LoginSession.token_prefix == parts[1])


async def find_account(db: AsyncSession, token: str) -> UUID | None:
    """Return the account of a token that is the newest of its session or the one before, without using it. None for any other token."""
    parts = TOKEN.fullmatch(token)
    if parts is None:
        return None
    digest = _digest(parts[2])
    query = select(LoginSession.account_id).where(
        LoginSession.token_prefix == parts[1],
        LoginSession.expires_at > func.now(),
        or_(LoginSession.secret_digest == digest, LoginSession.parent_digest == digest),
    )
    found: UUID | None = await db.scalar(query)
    return found


async def extend_sessions_of_guest(db: AsyncSession, account_id: UUID) -> None:
    """Give the sessions of a guest who became an account the lifetime of an account's sessions."""
    expires_at = func.least(func.now() + IDLE_LIFETIME, LoginSession.absolute_expires_at)
    await db.execute(
        update(LoginSession)
        .where(LoginSession.account_id == account_id, LoginSession.expires_at > func.now())
        .values(idle_lifetime=IDLE_LIFETIME, expires_at=expires_at)
    )


async def belongs_to(db: AsyncSession, token: str, client_id: str) -> bool:
    """Return False if the session of a token was begun by another client. An unknown token belongs to every client."""
    issued_to = select(LoginSession.client_id).where(LoginSession.token_prefix == token.partition(".")[0])
    return await db.scalar(issued_to) in {None, client_id}


async def delete_expired(db: AsyncSession, limit: int) -> int:
    """Delete up to `limit` expired sessions. Return their number. Skip those that another worker is deleting."""
    expired = select(LoginSession.token_prefix).where(LoginSession.expires_at < func.now()).limit(limit)
    locked = expired.with_for_update(skip_locked=True).cte("locked")
    deleted = await db.execute(
        delete(LoginSession).where(LoginSession.token_prefix.in_(select(locked))).returning(LoginSession.token_prefix)
    )
    return len(deleted.all())
