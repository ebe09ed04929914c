"""What auth refuses: problems everywhere, and at the token endpoint the errors of RFC 6749 section 5.2.

OAuthError
├── InvalidRequest
├── InvalidClient
├── InvalidGrant
├── UnauthorizedClient
├── UnsupportedGrantType
├── InvalidScope
└── TooManyFailures
"""

import re
from typing import ClassVar

from kit.errors import Problem


class EmailTaken(Problem):
    """There is an account with this e-mail address; log in, or use another address."""

    status = 409


class PasswordTooEasy(Problem):
    """This password is among the first that an attacker tries; choose another one."""

    status = 422


class AccountNeeded(Problem):
    """This access token belongs to a client, not to an account."""

    status = 403


class TooBusy(Problem):
    """More passwords are being checked than this server can; nothing was changed, try again in a moment."""

    status = 503

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "2"})


class OAuthError(Exception):
    """A token request that gets no token. The docstring is its `error_description`, `error` its code."""

    status: ClassVar[int] = 400
    error: ClassVar[str]

    def __init__(self, description: str | None = None, *, headers: dict[str, str] | None = None) -> None:
        said = description or (self.__doc__ or "").strip().splitlines()[0]
        # RFC 6749 section 5.2 allows these characters and no others.
        self.description = re.sub(r'[^\x20-\x7e]|["\\]', "", said)[:500]
        self.headers = headers or {}
        super().__init__(self.description)


class InvalidRequest(OAuthError):
    """The request lacks a parameter, repeats one, or has one that is malformed."""

    error = "invalid_request"


class InvalidClient(OAuthError):
    """The client is unknown, or its secret is wrong."""

    status = 401
    error = "invalid_client"

    def __init__(self) -> None:
        super().__init__(headers={"WWW-Authenticate": 'Basic realm="auth"'})


class InvalidGrant(OAuthError):
    """The user name or the password is wrong."""

    error = "invalid_grant"


class UnauthorizedClient(OAuthError):
    """A client with a secret acts for itself: it may use client_credentials only."""

    error = "unauthorized_client"


class UnsupportedGrantType(OAuthError):
    """grant_type is none of: password, refresh_token, client_credentials."""

    error = "unsupported_grant_type"


class InvalidScope(OAuthError):
    """The scope asked for is more than what can be granted."""

    error = "invalid_scope"


class TooManyFailures(OAuthError):
    """Too many failed logins with this user name."""

    status = 429
    error = "temporarily_unavailable"

    def __init__(self, seconds: int) -> None:
        super().__init__(
            f"Too many failed logins with this user name. Try again in {seconds} s.",
            headers={"Retry-After": str(seconds)},
        )
