"""Count each login, and log it with the IP address and the hashed user name."""

from collections.abc import Awaitable

import structlog

from services.auth.email_addresses import normalize_email
from services.auth.errors import (
    AccountBanned,
    InvalidGrant,
    MailCodeRequired,
    OAuthError,
    TooBusy,
    TooManyFailedLogins,
)
from services.auth.metrics import logins_total
from services.auth.sessions.log_names import hash_name
from services.auth.tokens.grants import TokenContents

log = structlog.get_logger("logins")

RESULTS: tuple[tuple[type[Exception], str], ...] = (
    (AccountBanned, "banned"),
    (InvalidGrant, "failed"),
    (TooManyFailedLogins, "throttled"),
    (MailCodeRequired, "throttled"),
    (TooBusy, "busy"),
    (OAuthError, "refused"),
)
"""The label of the metric by the error; the first match counts. `refused`: the client, the scope or a parameter was invalid."""


async def observe_login(
    login: Awaitable[TokenContents],
    *,
    method: str,
    address: str | None,
    refresh_token_key: bytes,
    username: str | None = None,
) -> TokenContents:
    """Await a login, count it and log it.

    `method`: `password` or `mail_code`. `username` is None if the request does not name the account.
    """
    name_hash = None if username is None else hash_name(refresh_token_key, _normalize(username))
    try:
        contents = await login
    except (OAuthError, TooBusy) as error:
        result = next(label for kind, label in RESULTS if isinstance(error, kind))
        logins_total.labels(method, result).inc()
        log.info(f"login {result}", method=method, address=address, name_hash=name_hash)
        raise
    logins_total.labels(method, "succeeded").inc()
    if contents.email is not None:
        name_hash = hash_name(refresh_token_key, contents.email)
    log.info("login succeeded", method=method, address=address, name_hash=name_hash, account_id=contents.subject)
    return contents


def _normalize(username: str) -> str:
    try:
        return normalize_email(username)
    except ValueError:
        return username.strip().lower()
