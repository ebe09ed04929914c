"""The tables of the account life cycle."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, Identity, Index, LargeBinary, func, text
from sqlalchemy.orm import Mapped, mapped_column

from kit.db.columns import one_of, text_enum
from services.auth.models import Base


class TokenPurpose(StrEnum):
    VERIFY_EMAIL = "verify_email"
    """Proves that the address of the account belongs to its owner."""

    RESET_PASSWORD = "reset_password"  # noqa: S105 -- a purpose, not a password
    """Sets a new password."""

    CHANGE_EMAIL = "change_email"
    """The address that received the token becomes the address of the account."""

    UNDO_EMAIL_CHANGE = "undo_email_change"
    """The address that received the token becomes the address of the account again. Until the token expires, no account can get this
    address in another way (records.is_reserved), except the one that AUTH_ADMIN_EMAIL names."""


class OneTimeToken(Base):
    """A token that was sent in a mail. Its first use deletes the row."""

    __tablename__ = "one_time_tokens"
    __table_args__ = (one_of("purpose", TokenPurpose),)

    digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    """SHA-256. The token is 256 random bits, so a slow hash would add nothing."""
    purpose: Mapped[TokenPurpose] = mapped_column(text_enum(TokenPurpose))
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), index=True)
    email: Mapped[str] = mapped_column(index=True)
    """The address that the token was sent to."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime] = mapped_column(index=True)


class EndedAccount(Base):
    """An account that was deleted, or a guest that was merged into another account. Kept to publish the event again."""

    __tablename__ = "ended_accounts"

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    merged_into: Mapped[UUID | None]
    """None if the account was deleted."""
    ended_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp(), index=True)


class RequestKind(StrEnum):
    VERIFY_EMAIL = "verify_email"
    """Another mail to verify the address of an account."""

    RESET_PASSWORD = "reset_password"  # noqa: S105 -- a kind, not a password
    """A mail to set a new password."""

    CHANGE_EMAIL = "change_email"
    """A mail to the new address of an account."""


class MailRequest(Base):
    """A request for a mail to an address that may have no account. auth's worker answers it and deletes the row."""

    __tablename__ = "mail_requests"
    __table_args__ = (one_of("kind", RequestKind),)

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    kind: Mapped[RequestKind] = mapped_column(text_enum(RequestKind))
    email: Mapped[str]
    account_id: Mapped[UUID | None] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), index=True)
    """The account that is to get this address; None for other kinds."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class MailBucket(Base):
    """A token bucket for mails of a kind, or for wrong mail codes, of an address or account. A bucket that is full again has no row."""

    __tablename__ = "mail_buckets"

    key_digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    """SHA-256 of the kind of limit and the address or account."""
    full_at: Mapped[datetime] = mapped_column(index=True)
    """When the bucket is full again. Each mail makes it later (mail_limits.py)."""


class MailCode(Base):
    """A code with which the owner of an address logs in, on the device that asked for it. The address may have no account."""

    __tablename__ = "mail_codes"
    __table_args__ = (Index(None, "created_at", postgresql_where=text("code IS NOT NULL")),)

    challenge_digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    """SHA-256 of the challenge, which only the device has."""
    code_digest: Mapped[bytes] = mapped_column(LargeBinary)
    """SHA-256 of the challenge and the code."""
    code: Mapped[str | None]
    """The code, until the worker has written the mail or found that there is no account."""
    email: Mapped[str]
    account_id: Mapped[UUID | None] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), index=True)
    """The account of the address; None if there is none, or the worker has not looked yet."""
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime] = mapped_column(index=True)


class PendingRegistration(Base):
    """A registration that waits for the owner of its address (registrations.py). The address may have an account."""

    __tablename__ = "pending_registrations"

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    email: Mapped[str] = mapped_column(index=True)
    name: Mapped[str | None]
    password_hash: Mapped[str]
    token_digest: Mapped[bytes | None] = mapped_column(LargeBinary, unique=True)
    """SHA-256 of the token; None until the worker has written the mail."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime] = mapped_column(index=True)
