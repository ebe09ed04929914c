"""The table of mails."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import CheckConstraint, ForeignKey, Index, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from kit.db.columns import one_of, text_enum
from services.auth.mail.template_names import Template
from services.auth.models import Base


class MailStatus(StrEnum):
    WAITING = "waiting"
    """Is sent at `next_attempt_at`."""

    SENT = "sent"
    """The mail server has accepted it."""

    REFUSED = "refused"
    """The mail server has refused the recipient for good, for example because there is no such mailbox."""

    FAILED = "failed"
    """It could not be sent within a day after `created_at`."""


class Mail(Base):
    """A mail to the owner of an account. It is written in the transaction that causes it, and auth's worker sends it."""

    __tablename__ = "mails"
    __table_args__ = (
        one_of("status", MailStatus),
        one_of("template", Template),
        CheckConstraint("(status = 'waiting') = (next_attempt_at IS NOT NULL)", name="next_attempt_at"),
        CheckConstraint("status = 'waiting' OR secrets IS NULL", name="secrets"),
        Index(None, "next_attempt_at", postgresql_where=text("status = 'waiting'")),
        Index(None, "status", "created_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    """Also in the header Message-ID, by which a repeated mail can be recognised."""
    account_id: Mapped[UUID | None] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), index=True)
    """None if there is no account yet, and for the mail `email_taken` to an address that was entered as the new one of another account."""
    recipient: Mapped[str] = mapped_column(index=True)
    template: Mapped[Template] = mapped_column(text_enum(Template))
    context: Mapped[dict[str, str]]
    """Values for the template that are not secret."""
    secrets: Mapped[dict[str, str] | None] = mapped_column(JSONB(none_as_null=True))
    """Tokens and codes for the template. Removed as soon as the mail does not wait any more."""
    status: Mapped[MailStatus] = mapped_column(text_enum(MailStatus), server_default=MailStatus.WAITING)
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    next_attempt_at: Mapped[datetime | None] = mapped_column(server_default=func.now())
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    """When the mail was written, or an operator last sent it again."""
    ended_at: Mapped[datetime | None]
    """When the mail was sent or given up."""
    error: Mapped[str | None]
    """The reason of the last failure, for operators."""
