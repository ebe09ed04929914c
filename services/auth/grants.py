"""The three ways to a token (RFC 6749 sections 4.3, 4.4 and 6).

They hold no transaction while a password is hashed, and what a refusal must remember is committed before it is raised.
"""

from services.auth import accounts, attempts, clients, refresh
from services.auth.addresses import normal
from services.auth.db import sessions
from services.auth.errors import InvalidGrant, InvalidRequest
from services.auth.models import Account
from services.auth.passwords import hashing
from services.auth.schemas import TokenAnswer, typable
from services.auth.settings import settings
from services.auth.tokens import PUBLIC_CLIENT, access_token, narrowed


async def _answer(account: Account, scope: str, refresh_token: str) -> TokenAnswer:
    token = await access_token(str(account.id), client_id=PUBLIC_CLIENT, scope=scope, email=account.email)
    return TokenAnswer(
        access_token=token,
        expires_in=settings.auth_access_token_seconds,
        refresh_token=refresh_token,
        scope=scope,
    )


async def password(username: str, secret: str, scope: str | None) -> TokenAnswer:
    """A login. Raises InvalidGrant, alike for an unknown user and a wrong password; TooManyFailures; TooBusy."""
    try:
        typable(secret)
    except ValueError as error:
        raise InvalidRequest(f"password {error}") from error
    try:
        name = email = normal(username)
    except ValueError:
        name, email = username.strip().lower(), ""
    async with sessions.begin() as session:
        await attempts.refuse_paused(session, name)
    async with hashing.turn():
        async with sessions.begin() as session:
            await attempts.admit(session, name)
            account = await accounts.with_email(session, email)
        good, better = await hashing.verify(secret, account.password_hash if account else None)
    if account is None or not good:
        async with sessions.begin() as session:
            await attempts.count(session, name)
        raise InvalidGrant
    async with sessions.begin() as session:
        await attempts.forget(session, name)
        if better is not None:
            await accounts.upgrade_hash(session, account, better)
        granted = narrowed(scope, account.scopes)
        token = await refresh.begin(session, account, granted)
    return await _answer(account, granted, token)


async def refreshed(token: str, scope: str | None) -> TokenAnswer:
    """The next pair of tokens. Raises InvalidGrant; InvalidScope, which leaves the token as it was."""
    async with sessions.begin() as session:
        rotated = await refresh.rotate(session, token)
        if rotated is not None:
            account_id, granted, following = rotated
            account = await session.get_one(Account, account_id)
            narrower = narrowed(scope, granted & account.scopes)
    if rotated is None:
        raise InvalidGrant("The refresh token is unknown, used or expired. Log in again.")
    return await _answer(account, narrower, following)


async def client_credentials(name: str, secret: str, scope: str | None) -> TokenAnswer:
    """A token for a program itself; it needs no refresh token, since it can ask again. Raises InvalidClient, InvalidScope."""
    async with sessions.begin() as session:
        client = await clients.authenticated(session, name, secret)
    granted = narrowed(scope, set(client.scope.split()))
    token = await access_token(client.id, client_id=client.id, scope=granted)
    return TokenAnswer(access_token=token, expires_in=settings.auth_access_token_seconds, scope=granted)
