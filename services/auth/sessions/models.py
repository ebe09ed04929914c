"""The table of login sessions."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, LargeBinary, func
from sqlalchemy.orm import Mapped, mapped_column

from services.auth.models import Base


class RefreshFamily(Base):
    """A login: its first refresh token and all refresh tokens that replaced it.

    The row has the SHA-256 of the secret that is valid now, and of its parent, the secret that it replaced. Revoking a family deletes its
    row.
    """

    __tablename__ = "refresh_families"

    id: Mapped[str] = mapped_column(primary_key=True)
    """The first part of the refresh tokens. Others do not know it, because a wrong token with this id revokes the family."""
    sid: Mapped[str] = mapped_column(unique=True)
    """The id of the session for everyone: the claim `sid` of its access tokens."""
    client_id: Mapped[str] = mapped_column(ForeignKey("clients.id", ondelete="CASCADE"), index=True)
    """The client application that logged in."""
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), index=True)
    secret_digest: Mapped[bytes] = mapped_column(LargeBinary)
    parent_digest: Mapped[bytes | None] = mapped_column(LargeBinary)
    """None until the first token was used."""
    rotated_at: Mapped[datetime | None]
    """When the parent was used for the first time."""
    scope: Mapped[str]
    """The scopes granted at login, space-separated. Later access tokens have these scopes or fewer."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime] = mapped_column(index=True)
    """Extended at every rotation, at most to `absolute_expires_at`."""
    absolute_expires_at: Mapped[datetime]
