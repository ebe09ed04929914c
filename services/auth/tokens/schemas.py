"""Request values and response bodies of the token endpoint."""

from enum import StrEnum
from typing import Literal

from pydantic import Field

from kit.schemas import ResponseModel, example


class GrantType(StrEnum):
    PASSWORD = "password"  # noqa: S105 -- a name of RFC 6749
    REFRESH_TOKEN = "refresh_token"  # noqa: S105 -- a name of RFC 6749
    CLIENT_CREDENTIALS = "client_credentials"
    MAIL_CODE = "urn:shop:grant-type:mail-code"
    """A grant type of ours (RFC 6749 section 4.5): a login with the code of a mail."""


class TokenResponse(ResponseModel):
    """A successful response (RFC 6749 section 5.1)."""

    model_config = example(
        {
            "access_token": "eyJhbGciOiJSUzI1NiIsInR5cCI6ImF0K2p3dCJ9...",
            "token_type": "Bearer",
            "expires_in": 900,
            "refresh_token": "pX0Yd3Jm2kQv8sTzLw5n1A.9bq6R0Zf...",
            "scope": "orders:write payments:write",
            "device_token": "q7Jc3v0TnXw1zLr5bYk8mDf2hSg4pUa6eRi9oWt0vCx",
        }
    )

    access_token: str = Field(description="A signed JWT (RFC 9068). Verify it with the keys of /.well-known/jwks.json")
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 -- a name of RFC 6750
    expires_in: int = Field(description="Lifetime of the access token in seconds")
    refresh_token: str | None = Field(
        default=None, description="Can be used once, to get the next tokens. Absent for client_credentials"
    )
    scope: str = Field(description="The granted scopes, space-separated")
    device_token: str | None = Field(
        default=None,
        description="Keep it and send it with the next login on this device. Also set as a cookie. Only logins return it: with a "
        "password or a mail code",
    )


class OAuthErrorResponse(ResponseModel):
    """An error response (RFC 6749 section 5.2)."""

    model_config = example({"error": "invalid_grant", "error_description": "The user name or the password is wrong."})

    error: str = Field(description="Error code for programs. It does not change")
    error_description: str = Field(description="The reason, for developers")


class ServerMetadata(ResponseModel):
    """Authorization server metadata (RFC 8414 section 2)."""

    issuer: str
    token_endpoint: str
    revocation_endpoint: str
    jwks_uri: str
    scopes_supported: list[str]
    response_types_supported: list[str]
    grant_types_supported: list[GrantType]
    token_endpoint_auth_methods_supported: list[str]
    revocation_endpoint_auth_methods_supported: list[str]
