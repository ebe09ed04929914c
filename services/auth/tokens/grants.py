"""The grant types of the token endpoint: password, refresh token and client credentials (RFC 6749 sections 4.3, 6 and 4.4).

No transaction is open while a password is hashed. A failed login and a revoked family are committed before the error is raised.
"""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import joinedload

from services.auth.accounts import records
from services.auth.accounts.password_hashing import PasswordHasher
from services.auth.accounts.password_rules import check_characters
from services.auth.clients.authentication import ClientCredentials, authenticate_app, authenticate_client
from services.auth.clients.models import Client
from services.auth.email_addresses import normalize_email
from services.auth.errors import InvalidGrant, InvalidRequest, UnauthorizedClient
from services.auth.models import Account
from services.auth.sessions import refresh_tokens
from services.auth.sessions.origin import Origin
from services.auth.throttling import failed_logins
from services.auth.tokens.scopes import select_scope


@dataclass(frozen=True, slots=True)
class Grant:
    """The contents of an access token, and the refresh token that is issued with it."""

    subject: str
    client_id: str
    scope: str
    email: str | None = None
    sid: str | None = None
    refresh_token: str | None = None
    email_verified: bool | None = None
    name: str | None = None


def _account_grant(account: Account, client_id: str, scope: str, sid: str, refresh_token: str) -> Grant:
    return Grant(
        str(account.id),
        client_id,
        scope,
        account.email,
        sid,
        refresh_token,
        email_verified=account.email_verified,
        name=account.name,
    )


async def log_in(
    sessions: async_sessionmaker[AsyncSession],
    hasher: PasswordHasher,
    credentials: ClientCredentials | None,
    username: str,
    password: str,
    scope: str | None,
    origin: Origin,
) -> Grant:
    """Log in with a user name and a password.

    Raises InvalidGrant for an unknown user and for a wrong password, InvalidClient, UnauthorizedClient, InvalidRequest, InvalidScope,
    TooManyFailedLogins, TooBusy.
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
        client = await authenticate_app(session, credentials)
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
        granted = select_scope(scope, account.scopes & client.scopes)
        login = await refresh_tokens.issue(session, account, client.id, granted, origin)
    return _account_grant(account, client.id, granted, login.sid, login.refresh_token)


async def refresh(
    sessions: async_sessionmaker[AsyncSession],
    refresh_secret: bytes,
    credentials: ClientCredentials | None,
    token: str,
    scope: str | None,
    origin: Origin,
) -> Grant:
    """Use a refresh token. Raises InvalidGrant, InvalidClient, UnauthorizedClient, InvalidScope.

    A client that names itself must be the one that logged in. After InvalidScope the token is unused and can be sent again.
    """
    async with sessions.begin() as session:
        named = None if credentials is None else (await authenticate_app(session, credentials)).id
        rotation = await refresh_tokens.rotate(session, token, refresh_secret, origin, named)
        if rotation is not None:
            owner = select(Account, Client).join(Client, Client.id == rotation.client_id)
            found = await session.execute(
                owner.where(Account.id == rotation.account_id).options(joinedload(Account.granted_role))
            )
            account, client = found.one()
            granted = select_scope(scope, rotation.scopes & account.scopes & client.scopes)
    if rotation is None:
        raise InvalidGrant(
            "The refresh token is unknown, used or expired, or was issued to another client. Log in again."
        )
    return _account_grant(account, client.id, granted, rotation.sid, rotation.next_token)


async def authorize_client(session: AsyncSession, credentials: ClientCredentials, scope: str | None) -> Grant:
    """Return the grant of a program. It has no refresh token, because the program can request a new token at any time.

    Raises InvalidClient, InvalidScope, and UnauthorizedClient for a public client, which cannot prove who it is.
    """
    client = await authenticate_client(session, credentials)
    if client.public:
        raise UnauthorizedClient("A public client has no access of its own. Log in with the grant type password.")
    return Grant(client.id, client.id, select_scope(scope, client.scopes))
