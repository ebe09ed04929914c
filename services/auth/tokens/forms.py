"""The form of a token request."""

from pydantic import BaseModel, Field

from services.auth.accounts.password_rules import MAX_BYTES
from services.auth.clients.authentication import CLIENT_ID_DESCRIPTION, CLIENT_SECRET_DESCRIPTION
from services.auth.email_addresses import MAX_LENGTH
from services.auth.tokens.schemas import GrantType


class TokenForm(BaseModel):
    """The parameters of a token request. Unknown ones are ignored (RFC 6749 section 3.2)."""

    grant_type: str = Field(max_length=100, description=", ".join(GrantType), examples=["password"])
    username: str | None = Field(
        default=None,
        max_length=MAX_LENGTH,
        description="For grant_type=password: the e-mail address",
        examples=["ada@example.com"],
    )
    password: str | None = Field(
        default=None, max_length=MAX_BYTES, description="For grant_type=password", examples=["a gate of nine hinges"]
    )
    refresh_token: str | None = Field(
        default=None,
        max_length=200,
        description="For grant_type=refresh_token: the refresh token of the latest response",
    )
    challenge: str | None = Field(
        default=None, max_length=100, description="For a login with a code: the `challenge` of POST /auth/email/code"
    )
    code: str | None = Field(
        default=None, max_length=20, description="For a login with a code: the six digits in the mail"
    )
    scope: str | None = Field(
        default=None,
        max_length=1000,
        description="Requested scopes, space-separated. Default: all scopes that can be granted",
    )
    device_token: str | None = Field(
        default=None,
        max_length=200,
        description="For grant_type=password: the `device_token` of an earlier login to this account on this device."
        " Browsers send it as a cookie instead",
    )
    client_id: str | None = Field(default=None, max_length=200, description=CLIENT_ID_DESCRIPTION)
    client_secret: str | None = Field(default=None, max_length=200, description=CLIENT_SECRET_DESCRIPTION)
