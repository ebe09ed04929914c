"""Request and response bodies for operators who manage accounts."""

from datetime import UTC, datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, Field

from kit.fields import NOT_A_NUMBER, Line, Pattern
from kit.schemas import ListResponse, PageResponse, RequestModel, ResponseModel, example
from services.auth.mail.models import MailStatus
from services.auth.mail.template_names import Template
from services.auth.management.search import AccountStatus
from services.auth.models import Account

LAST_YEAR = 2199
RoleName = Annotated[str, Pattern("^[a-z][a-z0-9_-]{0,49}$", "must be the name of a role, such as support")]


def check_future(time: datetime) -> datetime:
    """Return the time. Raises ValueError unless it is in the future, and not after LAST_YEAR."""
    if time <= datetime.now(UTC) or time.year > LAST_YEAR:
        raise ValueError(f"must be in the future, and not after the year {LAST_YEAR}")
    return time


class Ban(RequestModel):
    model_config = example({"reason": "Paid with stolen cards", "until": "2027-01-01T00:00:00Z"})

    reason: Line = Field(description="For other operators. The owner of the account does not see it")
    until: Annotated[AwareDatetime, NOT_A_NUMBER, AfterValidator(check_future)] | None = Field(
        default=None, description="When the ban ends by itself; without it, the ban has no end"
    )


class AccountUpdate(RequestModel):
    model_config = example({"role": "support"})

    role: RoleName | None = Field(default=None, description="`customer`, `support` or `admin`; null leaves it as it is")
    name: Line | None = Field(default=None, description="Display name; null removes it")


class BanView(ResponseModel):
    banned_at: datetime
    until: datetime | None = Field(description="When the ban ends by itself; null if it has no end")
    reason: str


class ManagedAccountView(ResponseModel):
    """An account, as operators see it."""

    model_config = example(
        {
            "id": "5b0b7b4e-5a3c-4a0e-9a57-8a3c1f7d2f10",
            "email": "ada@example.com",
            "email_verified": True,
            "name": "Ada",
            "role": "customer",
            "status": "banned",
            "ban": {"banned_at": "2026-11-24T08:02:11Z", "until": None, "reason": "Paid with stolen cards"},
            "created_at": "2026-11-23T10:15:00Z",
        }
    )

    id: UUID
    email: str | None = Field(description="null for a guest")
    email_verified: bool = Field(description="Whether the owner has proved that the address is theirs")
    name: str | None
    role: str
    status: AccountStatus
    ban: BanView | None = Field(description="null if the account is not banned now")
    created_at: datetime

    @classmethod
    def of(cls, account: Account) -> Self:
        """Return the view of an account."""
        ban = None
        if account.banned and account.banned_at is not None:
            ban = BanView(banned_at=account.banned_at, until=account.banned_until, reason=account.ban_reason or "")
        return cls(
            id=account.id,
            email=account.email,
            email_verified=account.email_verified,
            name=account.name,
            role=account.role,
            status=AccountStatus.ACTIVE if ban is None else AccountStatus.BANNED,
            ban=ban,
            created_at=account.created_at,
        )


class AccountPage(PageResponse[ManagedAccountView]):
    """One page of accounts."""


class ManagedMailView(ResponseModel):
    """A mail to the owner of an account, as operators see it: without its text and its token or code."""

    model_config = example(
        {
            "id": "0d0c5f7e-1c0e-4a57-9a27-1e3f7d2f105b",
            "recipient": "ada@example.com",
            "template": "verify_email",
            "status": "waiting",
            "attempts": 2,
            "created_at": "2026-11-24T08:02:11Z",
            "next_attempt_at": "2026-11-24T08:07:40Z",
            "ended_at": None,
            "error": "451 try later",
        }
    )

    id: UUID
    recipient: str
    template: Template
    status: MailStatus
    attempts: int
    created_at: datetime = Field(
        description="When the mail was written, or when an operator requested that it is sent again"
    )
    next_attempt_at: datetime | None = Field(
        description="When the next attempt to send it is due; null if it no longer waits"
    )
    ended_at: datetime | None = Field(description="When the mail was sent, or when the attempts to send it ended")
    error: str | None = Field(description="Why the last attempt failed")


class AccountMails(ListResponse[ManagedMailView]):
    """The last mails of an account."""
