"""The table of failed logins."""

from datetime import datetime

from sqlalchemy import LargeBinary, func, text
from sqlalchemy.orm import Mapped, mapped_column

from services.auth.models import Base


class FailedLogin(Base):
    """Consecutive failed logins with a user name. The user name may have no account."""

    __tablename__ = "failed_logins"

    username_digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    """SHA-256 of the user name."""
    failures: Mapped[int] = mapped_column(server_default=text("1"))
    last_failure_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)
    next_attempt_at: Mapped[datetime] = mapped_column(server_default=func.now())
    """After FREE_ATTEMPTS failures, logins with this user name are refused before this time."""
