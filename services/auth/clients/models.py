"""The tables of client applications."""

from datetime import datetime

from sqlalchemy import ForeignKey, Identity, LargeBinary, func
from sqlalchemy.orm import Mapped, mapped_column

from services.auth.models import Base


class Client(Base):
    """A client application (RFC 6749 section 2.1).

    A program gets access tokens for itself, with a secret. A public client is an app with which people log in; it cannot keep a secret.
    """

    __tablename__ = "clients"

    id: Mapped[str] = mapped_column(primary_key=True)
    public: Mapped[bool]
    scope: Mapped[str]
    """Space-separated. Of a program: the scopes of its tokens. Of a public client: the scopes that the tokens of people have at most."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    @property
    def scopes(self) -> frozenset[str]:
        return frozenset(self.scope.split())


class ClientSecret(Base):
    """A secret of a program."""

    __tablename__ = "client_secrets"

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("clients.id", ondelete="CASCADE"), index=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    """SHA-256. The secret is 256 random bits, so a slow hash would add nothing."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_used_at: Mapped[datetime | None]
    """Written at most once an hour."""
