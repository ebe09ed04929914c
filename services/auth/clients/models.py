"""The table of OAuth clients."""

from datetime import datetime

from sqlalchemy import LargeBinary, func
from sqlalchemy.orm import Mapped, mapped_column

from services.auth.models import Base


class Client(Base):
    """A program that gets access tokens with its own id and secret (RFC 6749 section 4.4)."""

    __tablename__ = "clients"

    id: Mapped[str] = mapped_column(primary_key=True)
    secret_digest: Mapped[bytes] = mapped_column(LargeBinary)
    scope: Mapped[str]
    """The scopes that the client can get, space-separated."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
