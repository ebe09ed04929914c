"""The tables of failed logins, of the buckets of addresses, and of known devices."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ARRAY, DateTime, ForeignKey, LargeBinary, func, text
from sqlalchemy.orm import Mapped, mapped_column

from kit.db.columns import one_of, text_enum
from services.auth.models import Base


class FailedLogin(Base):
    """Consecutive failed logins with a user name from unknown devices, or from one known device; or consecutive wrong passwords that a
    logged-in account sends. The user name may have no account."""

    __tablename__ = "failed_logins"

    key: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    """SHA-256 of the user name, the device or the account (failed_logins.py)."""
    failures: Mapped[int] = mapped_column(server_default=text("0"))
    """Failures since the last success."""
    attempt_times: Mapped[list[datetime]] = mapped_column(ARRAY(DateTime(timezone=True)))
    """When the last attempts began, at most ATTEMPTS_PER_MINUTE, without those that succeeded. An attempt may still be running."""
    next_attempt_at: Mapped[datetime] = mapped_column(server_default=func.now())
    """The end of the pause. Attempts are refused before this time."""
    forget_at: Mapped[datetime] = mapped_column(index=True)
    """When the row may be deleted."""


class BucketKind(StrEnum):
    FAILED_LOGINS_AND_MAIL_REQUESTS = "failed_logins_and_mail_requests"
    REGISTRATIONS = "registrations"
    GUESTS = "guests"


class AddressBucket(Base):
    """A token bucket of a limit address or client network. No row means a full bucket."""

    __tablename__ = "address_buckets"
    __table_args__ = (one_of("kind", BucketKind),)

    kind: Mapped[BucketKind] = mapped_column(text_enum(BucketKind), primary_key=True)
    address: Mapped[str] = mapped_column(primary_key=True)
    """An IPv4 address, or an IPv6 /64 or /48 network."""
    full_at: Mapped[datetime] = mapped_column(index=True)
    """When the bucket will be full again. Taking a token adds the time that one token needs to come back."""


class Device(Base):
    """A device from which an account has logged in: an app or a browser that has its device token."""

    __tablename__ = "devices"

    token_digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    """SHA-256 of the device token."""
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_login_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime] = mapped_column(index=True)
    """DEVICE_LIFETIME after the last login."""
