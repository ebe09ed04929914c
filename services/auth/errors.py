"""The errors of auth: problems (RFC 9457), and these errors of the token endpoint (RFC 6749 section 5.2).

OAuthError
├── InvalidRequest
├── InvalidClient
├── InvalidGrant
│   └── AccountBanned
├── UnauthorizedClient
│   └── GuestsNeedPublicClient
├── UnsupportedGrantType
├── InvalidScope
├── TooManyFailedLogins
└── MailCodeRequired
"""

import math
import re
from datetime import UTC, datetime
from typing import ClassVar

from kit.errors import Problem


class EmailTaken(Problem):
    """This e-mail address belongs to an account. Log in, or use another address."""

    status = 409


class PasswordTooEasy(Problem):
    """This password is too easy to guess. Choose another one."""

    status = 422


class AccountNeeded(Problem):
    """This access token belongs to a program or a guest. Log in with a user name and a password."""

    status = 403


class SessionNotFound(Problem):
    """You have no session with this id: list your sessions with GET /auth/sessions."""

    status = 404


class TokenNotValid(Problem):
    """This token is unknown, used or expired. Request a new mail."""

    status = 400


class EmailUnchanged(Problem):
    """Your account already has this e-mail address. Send another one."""

    status = 409


class AccountHasStaffRole(Problem):
    """The accounts of administrators and support staff cannot be deleted. Ask an operator to end this role first."""

    status = 409


class WrongPassword(Problem):
    """The password is wrong. Try again, or request a mail for a new password with POST /auth/password/forgot."""

    status = 403


class TooManyMails(Problem):
    """Too many mails were requested for this address or by this account. Wait `Retry-After` seconds; an earlier mail may still arrive."""

    status = 429

    def __init__(self, wait_seconds: float) -> None:
        super().__init__(headers={"Retry-After": str(max(1, math.ceil(wait_seconds)))})


class MailNotConfigured(Problem):
    """This request needs a mail, but this shop sends no mail. Contact the shop."""

    status = 404


class MailNotFound(Problem):
    """This account has no mail with this id: list its mails with GET /auth/users/{account_id}/mails."""

    status = 404


class MailNotResendable(Problem):
    """This mail no longer waits to be sent, and its token or code is deleted. The owner of the account can request a new mail."""

    status = 409


class GuestNotFound(Problem):
    """This refresh token belongs to no guest: it is unknown, used or expired, or the guest was merged already. Nothing was merged."""

    status = 404


class AccountNotFound(Problem):
    """There is no account with this id: search with GET /auth/users."""

    status = 404


class UnknownRole(Problem):
    """There is no role with this name. Choose `customer`, `support` or `admin`."""

    status = 422


class AddressNotVerified(Problem):
    """The owner has not verified the e-mail address of this account, so it cannot get a staff role. Ask the owner to verify it first."""

    status = 409


class ScopesNotHeld(Problem):
    """The role has scopes that you do not have, so you cannot grant it or act on an account that has it. Ask an operator who has them."""

    status = 403


class RoleOfGuest(Problem):
    """A guest keeps the role of customers. The guest must register first."""

    status = 409


class OwnAccount(Problem):
    """You cannot ban your own account or change its role. Ask another administrator."""

    status = 409


class ConfiguredAdministrator(Problem):
    """AUTH_ADMIN_EMAIL names this account, so it can neither be banned nor get another role. Change the setting first."""

    status = 409


class TooBusy(Problem):
    """Too many logins and registrations are waiting. Nothing was changed; try again in a few seconds."""

    status = 503

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "2"})


class OAuthError(Exception):
    """The token request was refused.

    The default `error_description` is the first line of the subclass's docstring. `error` is the code of RFC 6749.
    """

    status: ClassVar[int] = 400
    error: ClassVar[str]

    def __init__(self, description: str | None = None, *, headers: dict[str, str] | None = None) -> None:
        description = description or self.default_description()
        # RFC 6749 section 5.2 allows only printable ASCII characters, without quotation marks and backslashes.
        self.description = re.sub(r'[^\x20-\x7e]|["\\]', "", description)[:500]
        self.headers = headers or {}
        super().__init__(self.description)

    @classmethod
    def default_description(cls) -> str:
        """Return the first line of the docstring."""
        return (cls.__doc__ or cls.__name__).strip().splitlines()[0]


class InvalidRequest(OAuthError):
    """A parameter is missing, repeated or malformed."""

    error = "invalid_request"


class InvalidClient(OAuthError):
    """The client is unknown, or its secret is missing or wrong."""

    status = 401
    error = "invalid_client"

    def __init__(self) -> None:
        super().__init__(headers={"WWW-Authenticate": 'Basic realm="auth"'})


class InvalidGrant(OAuthError):
    """The user name, password, code or token is not valid, or the token belongs to another client."""

    error = "invalid_grant"


class AccountBanned(InvalidGrant):
    """This account is banned."""

    def __init__(self, until: datetime | None) -> None:
        end = "" if until is None else f" until {until.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        super().__init__(f"This account is banned{end}. Contact the shop.")


class UnauthorizedClient(OAuthError):
    """A client with a secret can only use the grant type client_credentials, and only such a client can use it."""

    error = "unauthorized_client"


class GuestsNeedPublicClient(UnauthorizedClient):
    """A client with a secret cannot create guests. Send the client_id of an app, or none."""


class UnsupportedGrantType(OAuthError):
    """grant_type must be one of: password, refresh_token, client_credentials, urn:shop:grant-type:mail-code."""

    error = "unsupported_grant_type"


class InvalidScope(OAuthError):
    """The requested scope contains scopes that cannot be granted. Request fewer scopes, or leave scope out."""

    error = "invalid_scope"


class TooManyFailedLogins(OAuthError):
    """Too many failed logins with this user name, or from this network. Try again later."""

    status = 429
    error = "temporarily_unavailable"

    def __init__(self, seconds: int) -> None:
        super().__init__(
            f"Too many failed logins with this user name, or from this network. Try again in {seconds} s.",
            headers={"Retry-After": str(seconds)},
        )


class MailCodeRequired(OAuthError):
    """Too many failed logins with this user name. Log in with a code from a mail or on a known device, or reset the password."""

    status = 403
    error = "mail_code_required"
