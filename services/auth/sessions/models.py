"""The table of login sessions."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, LargeBinary, func
from sqlalchemy.orm import Mapped, mapped_column

from services.auth.models import Base


class RefreshFamily(Base):
    """One login: the family of all refresh tokens that were rotated from its first one.

    The row holds the SHA-256 of the only secret that is valid now. A family that was revoked has no row.
    """

    __tablename__ = "refresh_families"

    id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), index=True)
    secret_digest: Mapped[bytes] = mapped_column(LargeBinary)
    scope: Mapped[str]
    """Granted at login, space-separated. A later token carries this or less."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime] = mapped_column(index=True)
    """Moved on at every rotation, never beyond `absolute_expires_at`."""
    absolute_expires_at: Mapped[datetime]
