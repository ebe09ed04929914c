"""Bodies of requests and answers."""

import re
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from kit.fields import Line
from services.auth.addresses import Email

PASSWORD_CHARACTERS = 128
PASSWORD_BYTES = 1024
CONTROL = re.compile("[\x00-\x1f\x7f]")


def typable(password: str) -> str:
    """The password, exactly as sent. Raises ValueError where it has a control character or is over 1 KiB."""
    if CONTROL.search(password):
        raise ValueError("has a control character")
    if len(password.encode()) > PASSWORD_BYTES:
        raise ValueError(f"is longer than {PASSWORD_BYTES} bytes")
    return password


NewPassword = Annotated[str, Field(min_length=8, max_length=PASSWORD_CHARACTERS), AfterValidator(typable)]


class Registration(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"email": "ada@example.com", "password": "a gate of nine hinges", "name": "Ada"}]
        }
    )

    email: Email
    password: NewPassword = Field(description="8 to 128 characters, whichever you like; not one of the most common")
    name: Line | None = None


class AccountAnswer(BaseModel):
    model_config = ConfigDict(
        from_attributes=True,
        json_schema_extra={
            "examples": [
                {
                    "id": "5b0b7b4e-5a3c-4a0e-9a57-8a3c1f7d2f10",
                    "email": "ada@example.com",
                    "name": "Ada",
                    "created_at": "2026-11-23T10:15:00Z",
                }
            ]
        },
    )

    id: UUID
    email: str
    name: str | None
    created_at: datetime


class MeAnswer(AccountAnswer):
    scope: str = Field(description="What the access token may do, space-separated")


class TokenAnswer(BaseModel):
    """RFC 6749 section 5.1."""

    access_token: str = Field(description="RFC 9068, signed by a key of /.well-known/jwks.json")
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 -- a word of RFC 6750
    expires_in: int = Field(description="Seconds")
    refresh_token: str | None = Field(default=None, description="Good for one use; absent for client_credentials")
    scope: str = Field(description="Space-separated")


class OAuthErrorAnswer(BaseModel):
    """RFC 6749 section 5.2."""

    error: str
    error_description: str
