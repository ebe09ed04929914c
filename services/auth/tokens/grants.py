"""The grant types of the token endpoint: password, refresh token and client credentials (RFC 6749 sections 4.3, 6 and 4.4).

No transaction is open while a password is hashed. A failed login and a revoked family are committed before the error is raised.
"""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from services.auth.accounts import records
from services.auth.accounts.password_hashing import PasswordHasher
from services.auth.accounts.password_rules import check_characters
from services.auth.clients.authentication import ClientCredentials, authenticate_client
from services.auth.clients.records import PUBLIC_CLIENT
from services.auth.email_addresses import normalize_email
from services.auth.errors import InvalidGrant, InvalidRequest
from services.auth.models import Account
from services.auth.sessions import refresh_tokens
from services.auth.throttling import failed_logins
from services.auth.tokens.scopes import select_scope


@dataclass(frozen=True, slots=True)
class Grant:
    """The contents of an access token, and the refresh token that is issued with it."""

    subject: str
    client_id: str
    scope: str
    email: str | None = None
    refresh_token: str | None = None


def _account_grant(account: Account, scope: str, refresh_token: str) -> Grant:
    return Grant(str(account.id), PUBLIC_CLIENT, scope, account.email, refresh_token)


async def log_in(
    sessions: async_sessionmaker[AsyncSession], hasher: PasswordHasher, username: str, password: str, scope: str | None
) -> Grant:
    """Log in with a user name and a password.

    Raises InvalidGrant for an unknown user and for a wrong password, InvalidRequest, InvalidScope, TooManyFailedLogins, TooBusy.
    """
    try:
        check_characters(password)
    except ValueError as error:
        raise InvalidRequest(f"password: {error}") from error
    try:
        name = email = normalize_email(username)
    except ValueError:  # no account has this user name, but its failures are counted
        name, email = username.strip().lower(), ""
    async with sessions.begin() as session:
        await failed_logins.check_not_paused(session, name)
    async with hasher.slot():
        async with sessions.begin() as session:
            await failed_logins.start_attempt(session, name)
            account = await records.find_by_email(session, email)
        correct, new_hash = await hasher.verify(password, account.password_hash if account else None)
    if account is None or not correct:
        async with sessions.begin() as session:
            await failed_logins.record_failure(session, name)
        raise InvalidGrant
    async with sessions.begin() as session:
        await failed_logins.reset(session, name)
        if new_hash is not None:
            await records.upgrade_password_hash(session, account, new_hash)
        granted = select_scope(scope, account.scopes)
        refresh_token = await refresh_tokens.issue(session, account, granted)
    return _account_grant(account, granted, refresh_token)


async def refresh(
    sessions: async_sessionmaker[AsyncSession], refresh_secret: bytes, token: str, scope: str | None
) -> Grant:
    """Use a refresh token. Raises InvalidGrant, InvalidScope. After InvalidScope the token is unused and can be sent again."""
    async with sessions.begin() as session:
        rotation = await refresh_tokens.rotate(session, token, refresh_secret)
        if rotation is not None:
            account = await session.get_one(Account, rotation.account_id)
            granted = select_scope(scope, rotation.scopes & account.scopes)
    if rotation is None:
        raise InvalidGrant("The refresh token is unknown, used or expired. Log in again.")
    return _account_grant(account, granted, rotation.next_token)


async def authorize_client(session: AsyncSession, credentials: ClientCredentials, scope: str | None) -> Grant:
    """Return the grant of a client. It has no refresh token, because the client can request a new token at any time."""
    client = await authenticate_client(session, credentials)
    return Grant(client.id, client.id, select_scope(scope, set(client.scope.split())))
