"""The tables of sessions and of revocations."""

from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, LargeBinary, func
from sqlalchemy.orm import Mapped, mapped_column

from kit.db.columns import one_of, text_enum
from services.auth.models import Base


class LoginSession(Base):
    """A session: what begins with a login, with its first refresh token and all refresh tokens that replaced it.

    The row has the SHA-256 of the secret that is valid now, and of its parent, the secret that it replaced. Ending the session deletes
    the row.
    """

    __tablename__ = "login_sessions"

    token_prefix: Mapped[str] = mapped_column(primary_key=True)
    """The first part of the refresh tokens. It is as secret as they are: a wrong token that begins with it ends the session."""
    sid: Mapped[str] = mapped_column(unique=True)
    """The public id of the session: the claim `sid` of its access tokens."""
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
    idle_lifetime: Mapped[timedelta]
    """How long the session lasts without being used."""
    device: Mapped[str | None]
    """The User-Agent of the last request for a token."""
    address: Mapped[str | None]
    """The IP address of the last request for a token."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_used_at: Mapped[datetime] = mapped_column(server_default=func.now())
    """When the last access token was issued."""
    access_expires_at: Mapped[datetime]
    """When the last access token expires."""
    expires_at: Mapped[datetime] = mapped_column(index=True)
    """Extended at every rotation, at most to `absolute_expires_at`."""
    absolute_expires_at: Mapped[datetime]


class RevocationKind(StrEnum):
    SESSION = "session"
    """All access tokens of a session."""

    SUBJECT = "subject"
    """The access tokens of an account or a program that were issued before `revoked_at`."""

    TOKEN = "token"  # noqa: S105 -- a kind, not a secret
    """One access token."""


class Revocation(Base):
    """Access tokens that services must refuse before they expire."""

    __tablename__ = "revocations"
    __table_args__ = (one_of("kind", RevocationKind),)

    kind: Mapped[RevocationKind] = mapped_column(text_enum(RevocationKind), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    """The `sid`, `sub` or `jti` of the tokens."""
    revoked_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime] = mapped_column(index=True)
    """When all tokens that the row concerns have expired."""
