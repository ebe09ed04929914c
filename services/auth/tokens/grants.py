"""The grant types of the token endpoint: password, mail code, refresh token and client credentials (RFC 6749 sections 4.3, 4.5, 6 and
4.4); and the tokens of a new guest.

No transaction is open while a password is hashed. A failed login and the end of a session are committed before the error is raised.
"""

import math
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from services.auth.accounts import guests, mail_codes, records
from services.auth.accounts.hash_queue import Requester
from services.auth.accounts.password_hashing import PasswordHasher
from services.auth.accounts.password_rules import check_characters
from services.auth.clients.authentication import ClientCredentials, authenticate_client, authenticate_public_client
from services.auth.email_addresses import normalize_email
from services.auth.errors import (
    GuestsNeedPublicClient,
    InvalidGrant,
    InvalidRequest,
    TooManyFailedLogins,
    UnauthorizedClient,
)
from services.auth.mail.waiting import mail_is_configured
from services.auth.metrics import throttled_total
from services.auth.models import Account
from services.auth.sessions import refresh_tokens
from services.auth.sessions.details import SessionDetails
from services.auth.settings import RegistrationMode, settings
from services.auth.throttling import address_buckets, devices, failed_logins
from services.auth.throttling.address_buckets import FAILED_LOGINS_AND_MAIL_REQUESTS
from services.auth.throttling.login_attempts import LoginAttempt, remove_refusals_of_name
from services.auth.throttling.remembered_refusals import RememberedRefusals
from services.auth.throttling.request_source import RequestSource
from services.auth.tokens.scopes import select_scope


@dataclass(frozen=True, slots=True)
class TokenContents:
    """The contents of an access token, and the refresh token and device token that are issued with it."""

    subject: str
    client_id: str
    scope: str
    email: str | None = None
    sid: str | None = None
    refresh_token: str | None = None
    email_verified: bool | None = None
    name: str | None = None
    device_token: str | None = None


@dataclass(frozen=True, slots=True)
class PasswordLogin:
    """The parameters of a login with a user name and a password."""

    username: str
    password: str
    scope: str | None
    device_token: str | None
    client: ClientCredentials | None
    source: RequestSource
    details: SessionDetails


def _contents_for_account(
    account: Account, client_id: str, scope: str, sid: str, refresh_token: str, device_token: str | None = None
) -> TokenContents:
    return TokenContents(
        str(account.id),
        client_id,
        scope,
        account.email,
        sid,
        refresh_token,
        email_verified=account.email_verified,
        name=account.name,
        device_token=device_token,
    )


async def log_in(
    db_sessions: async_sessionmaker[AsyncSession],
    reading_db_sessions: async_sessionmaker[AsyncSession],
    hasher: PasswordHasher,
    refusals: RememberedRefusals,
    login: PasswordLogin,
) -> TokenContents:
    """Log in with a user name and a password.

    A request uses no connection of the pool for transactions until it has its turn in the queue, so many logins cannot occupy all of them.

    Raises InvalidGrant for an unknown user and for a wrong password, InvalidClient, UnauthorizedClient, InvalidRequest, InvalidScope,
    TooManyFailedLogins, MailCodeRequired, TooBusy.
    """
    name, email = _checked_names(login)
    limit_address = login.source.limit_address
    async with reading_db_sessions() as db:
        device = await devices.find(db, login.device_token, email)
    attempt = LoginAttempt(refusals, name, limit_address, device, mail_is_configured())
    attempt.check()
    requester = (
        Requester.of_address(limit_address)
        if device is None
        else Requester.of_account(device.account_id, limit_address)
    )
    async with hasher.slot(requester, login.source.disconnected):
        attempt.check()  # a request with the same user name or IP address may have been refused meanwhile: then this one needs no query
        async with db_sessions.begin() as db:
            client = await authenticate_public_client(db, login.client)
            started_at = await attempt.start(db)
            account = await records.find_by_email(db, email)
        correct, new_hash = await hasher.verify(login.password, account.password_hash if account else None)
    if account is None or not correct:
        async with db_sessions.begin() as db:
            await attempt.record_failure(db)
        raise InvalidGrant("The user name or the password is wrong.")
    # A separate transaction, because it locks the failed logins: other transactions lock the account first.
    async with db_sessions.begin() as db:
        await attempt.record_success(db, started_at)
    if new_hash is not None:
        async with db_sessions.begin() as db:
            await records.upgrade_password_hash(db, account, new_hash)
    _check_verified(account)
    granted = select_scope(login.scope, account.scopes & client.scopes)
    async with db_sessions.begin() as db:
        begun = await refresh_tokens.begin_session(db, account, client.id, granted, login.details)
        device_token = await devices.remember(db, account.id, device)
    return _contents_for_account(account, client.id, granted, begun.sid, begun.refresh_token, device_token)


def _checked_names(login: PasswordLogin) -> tuple[str, str]:
    """Return the name under which failures of this login are counted, and the e-mail address, which is empty if it cannot be one.

    Raises InvalidRequest if the password has characters that no password has.
    """
    try:
        check_characters(login.password)
    except ValueError as error:
        raise InvalidRequest(f"password: {error}") from error
    try:
        email = normalize_email(login.username)
    except ValueError:
        return login.username.strip().lower(), ""
    return email, email


def _check_verified(account: Account) -> None:
    """Raise InvalidGrant if the shop accepts only verified addresses and that of the account is not."""
    if settings.auth_registration is RegistrationMode.VERIFIED and not account.email_verified:
        raise InvalidGrant(
            "The e-mail address is not verified. Request a mail with POST /auth/email/verification-mail."
        )


@dataclass(frozen=True, slots=True)
class CodeLogin:
    """The parameters of a login with a code from a mail."""

    challenge: str
    code: str
    scope: str | None
    client: ClientCredentials | None
    source: RequestSource
    details: SessionDetails


async def log_in_with_code(
    db_sessions: async_sessionmaker[AsyncSession], refusals: RememberedRefusals, login: CodeLogin
) -> TokenContents:
    """Log in with the code of a mail, on the device that asked for it. This verifies the address and ends pauses after failed logins.

    Raises InvalidGrant for a wrong, used or expired code, InvalidClient, UnauthorizedClient, InvalidScope, TooManyFailedLogins.
    """
    limit_address = login.source.limit_address
    async with db_sessions.begin() as db:
        client = await authenticate_public_client(db, login.client)
        if not await address_buckets.take(db, FAILED_LOGINS_AND_MAIL_REQUESTS, limit_address):
            seconds = await address_buckets.seconds_to_wait(db, FAILED_LOGINS_AND_MAIL_REQUESTS, limit_address)
            throttled_total.labels(FAILED_LOGINS_AND_MAIL_REQUESTS.metric_label).inc()
            raise TooManyFailedLogins(max(1, math.ceil(seconds)))
        account = await mail_codes.use(db, login.challenge, login.code)
        if account is not None:
            await address_buckets.give_back(db, FAILED_LOGINS_AND_MAIL_REQUESTS, limit_address)
            granted = select_scope(login.scope, account.scopes & client.scopes)
            begun = await refresh_tokens.begin_session(db, account, client.id, granted, login.details)
            device_token = await devices.remember(db, account.id, None)
            await failed_logins.reset_failures(db, failed_logins.key_of_name(account.address))
    if account is None:
        raise InvalidGrant("The code is wrong, used or expired, or was requested by another device.")
    remove_refusals_of_name(refusals, account.address)
    return _contents_for_account(account, client.id, granted, begun.sid, begun.refresh_token, device_token)


async def refresh(
    engine: AsyncEngine,
    db_sessions: async_sessionmaker[AsyncSession],
    refresh_token_key: bytes,
    credentials: ClientCredentials | None,
    token: str,
    scope: str | None,
    details: SessionDetails,
) -> TokenContents:
    """Use a refresh token. Raises InvalidGrant, InvalidClient, UnauthorizedClient, InvalidScope.

    A client that names itself must be the one that logged in. After InvalidScope the token is unused and can be sent again, so a request
    with a scope needs a transaction. A request with a secret or a malformed client id needs one too, because these must be checked.
    """
    rotation = None
    if scope is None and (credentials is None or credentials.may_be_public):
        sending_client_id = None if credentials is None else credentials.client_id
        rotation = await refresh_tokens.rotate_without_transaction(
            engine, token, refresh_token_key, details, sending_client_id
        )
    if rotation is not None:
        return _contents_after_refresh(rotation, select_scope(None, rotation.scopes))
    async with db_sessions.begin() as db:
        sending_client_id = None if credentials is None else (await authenticate_public_client(db, credentials)).id
        rotation = await refresh_tokens.rotate(db, token, refresh_token_key, details, sending_client_id)
        granted = "" if rotation is None else select_scope(scope, rotation.scopes)
    if rotation is None:
        raise InvalidGrant(
            "The refresh token is unknown, used or expired, or was issued to another client. Log in again."
        )
    return _contents_after_refresh(rotation, granted)


def _contents_after_refresh(rotation: refresh_tokens.Rotation, granted: str) -> TokenContents:
    return TokenContents(
        str(rotation.account_id),
        rotation.client_id,
        granted,
        rotation.email,
        rotation.sid,
        rotation.next_token,
        email_verified=None if rotation.email is None else rotation.email_verified,
        name=rotation.name,
    )


async def begin_as_guest(
    db_sessions: async_sessionmaker[AsyncSession], credentials: ClientCredentials | None, details: SessionDetails
) -> TokenContents:
    """Create a guest with a session. Raises InvalidClient, GuestsNeedPublicClient."""
    async with db_sessions.begin() as db:
        client = await authenticate_public_client(db, credentials, refusal=GuestsNeedPublicClient)
        guest = await guests.create(db)
        scope = select_scope(None, guest.scopes & client.scopes)
        begun = await refresh_tokens.begin_session(db, guest, client.id, scope, details)
    return TokenContents(str(guest.id), client.id, scope, sid=begun.sid, refresh_token=begun.refresh_token)


async def authorize_client(db: AsyncSession, credentials: ClientCredentials, scope: str | None) -> TokenContents:
    """Return the contents of a program's token. There is no refresh token, because the program can request a new token at any time.

    Raises InvalidClient, InvalidScope, and UnauthorizedClient for a public client, which cannot prove who it is.
    """
    client = await authenticate_client(db, credentials)
    if client.public:
        raise UnauthorizedClient("A public client has no access of its own. Log in with the grant type password.")
    return TokenContents(client.id, client.id, select_scope(scope, client.scopes))
