"""The tables of auth."""

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import CheckConstraint, ForeignKey, LargeBinary, MetaData, func, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from contracts.tokens import ADMIN_SCOPES, CUSTOMER_SCOPES, Scope
from kit.db.engine import NAMING, TYPES


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = TYPES


class Account(Base):
    """Somebody who can log in."""

    __tablename__ = "accounts"
    __table_args__ = (CheckConstraint("role IN ('customer', 'admin')", name="role"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    email: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str | None]
    role: Mapped[str] = mapped_column(server_default="customer")
    password_hash: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    @property
    def scopes(self) -> frozenset[Scope]:
        return ADMIN_SCOPES if self.role == "admin" else CUSTOMER_SCOPES


class RefreshFamily(Base):
    """One login and the single refresh token of it that is good now. A family that is over is no longer here."""

    __tablename__ = "refresh_families"

    id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), index=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    scope: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime] = mapped_column(index=True)
    ends_at: Mapped[datetime]


class Client(Base):
    """A program that acts for itself (RFC 6749 section 4.4)."""

    __tablename__ = "clients"

    id: Mapped[str] = mapped_column(primary_key=True)
    secret_digest: Mapped[bytes] = mapped_column(LargeBinary)
    scope: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class FailedLogin(Base):
    """Failures in a row of one user name, whether or not an account has it. `name` is its SHA-256."""

    __tablename__ = "failed_logins"

    name: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    failures: Mapped[int] = mapped_column(server_default=text("1"))
    last_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)
    retry_at: Mapped[datetime] = mapped_column(server_default=func.now())
