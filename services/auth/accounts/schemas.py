"""Request and response bodies of accounts."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints

from kit.fields import Line, Pattern
from kit.schemas import RequestModel, ResponseModel, example
from services.auth.accounts.password_rules import MAX_BYTES, MAX_CHARACTERS, MIN_CHARACTERS, check_characters, normalize
from services.auth.email_addresses import Email
from services.auth.mail.models import MailStatus
from services.auth.mail.template_names import Template

NewPassword = Annotated[
    str,
    Field(min_length=MIN_CHARACTERS, max_length=MAX_CHARACTERS),
    AfterValidator(check_characters),
    AfterValidator(normalize),
]
PASSWORD_DESCRIPTION = "8 to 128 characters without control characters. Passwords that are easy to guess are refused"  # noqa: S105


class Registration(RequestModel):
    model_config = example({"email": "ada@example.com", "password": "a gate of nine hinges", "name": "Ada"})

    email: Email = Field(description="Stored in lower case. There can be one account for each address")
    password: NewPassword = Field(description=PASSWORD_DESCRIPTION)
    name: Line | None = Field(default=None, description="Display name")


class AccountChange(RequestModel):
    model_config = example({"name": "Ada Obi"})

    name: Line | None = Field(default=None, description="Display name; null removes it")


class AccountView(ResponseModel):
    model_config = example(
        {
            "id": "5b0b7b4e-5a3c-4a0e-9a57-8a3c1f7d2f10",
            "email": "ada@example.com",
            "email_verified": False,
            "name": "Ada",
            "created_at": "2026-11-23T10:15:00Z",
        }
    )

    id: UUID
    email: str | None = Field(description="Null for a guest")
    email_verified: bool = Field(description="Whether the owner has proved that the address is theirs")
    name: str | None
    created_at: datetime


class CurrentAccountView(AccountView):
    model_config = example(
        {
            "id": "5b0b7b4e-5a3c-4a0e-9a57-8a3c1f7d2f10",
            "email": "ada@example.com",
            "email_verified": False,
            "name": "Ada",
            "created_at": "2026-11-23T10:15:00Z",
            "delete_at": None,
            "scope": "orders:write payments:write",
        }
    )

    delete_at: datetime | None = Field(description="When the account is deleted, because its owner has asked for it")
    scope: str = Field(description="The scopes of the access token, space-separated")


MailedToken = Annotated[
    str,
    StringConstraints(strip_whitespace=True),
    Pattern("^[A-Za-z0-9_-]{43}$", "must be the token from the mail: 43 letters, digits and the signs - _"),
]


EXAMPLE_TOKEN = "x4Jt9wq0VgkXr3m1cUuQ7bYd2sLh5nZe8aPf6iKoRjE"  # noqa: S105 -- an example
CurrentPassword = Annotated[str, Field(max_length=MAX_BYTES)]


class MailAddress(RequestModel):
    model_config = example({"email": "ada@example.com"})

    email: Email = Field(description="The address of the account")


class PasswordChange(RequestModel):
    model_config = example({"current_password": "a gate of nine hinges", "new_password": "six lamps in the harbour"})

    current_password: CurrentPassword
    new_password: NewPassword = Field(description=PASSWORD_DESCRIPTION)
    device_token: str | None = Field(
        default=None,
        max_length=200,
        description="The `device_token` of a login on this device, which stays known. Browsers send it as a cookie instead",
    )


class PasswordReset(RequestModel):
    model_config = example({"token": EXAMPLE_TOKEN, "password": "six lamps in the harbour"})

    token: MailedToken = Field(description="The token in the mail")
    password: NewPassword = Field(description=PASSWORD_DESCRIPTION)


class EmailChange(RequestModel):
    model_config = example({"email": "ada.obi@example.com", "password": "a gate of nine hinges"})

    email: Email = Field(description="The new address")
    password: CurrentPassword


class RegistrationStatus(StrEnum):
    MAIL_SENT = "mail_sent"


class RegistrationAccepted(ResponseModel):
    """The answer to every registration if AUTH_REGISTRATION is `verified`."""

    model_config = example({"status": "mail_sent"})

    status: RegistrationStatus = Field(
        default=RegistrationStatus.MAIL_SENT,
        description="The address got a mail. Its token creates the account (POST /auth/email/verify)",
    )


class MailCodeChallenge(ResponseModel):
    model_config = example({"challenge": EXAMPLE_TOKEN, "expires_in": 600})

    challenge: str = Field(description="Send it with the code of the mail to POST /auth/token, from the same device")
    expires_in: int = Field(description="Lifetime of the code in seconds")


class AccountDeletion(RequestModel):
    model_config = example({"password": "a gate of nine hinges"})

    password: CurrentPassword | None = Field(default=None, description="The password, if the account has one")


class ScheduledDeletion(ResponseModel):
    model_config = example({"delete_at": "2026-12-07T10:15:00Z"})

    delete_at: datetime = Field(description="When the account is deleted. Until then, POST /auth/me/restore keeps it")


class ExportedSession(ResponseModel):
    client_id: str
    device: str | None
    address: str | None
    created_at: datetime
    last_used_at: datetime


class ExportedMail(ResponseModel):
    recipient: str
    template: Template
    status: MailStatus
    created_at: datetime


class AccountExport(ResponseModel):
    """What auth stores about an account, without hashes and tokens. Sessions and mails: the newest 1,000 each."""

    id: UUID
    email: str | None
    email_verified_at: datetime | None
    name: str | None
    role: str
    created_at: datetime
    delete_at: datetime | None
    sessions: list[ExportedSession]
    mails: list[ExportedMail] = Field(description="Sent mails of the last 7 days, others of the last 30 days")


class EmailVerification(RequestModel):
    model_config = example({"token": EXAMPLE_TOKEN})

    token: MailedToken = Field(description="The token in the mail")
