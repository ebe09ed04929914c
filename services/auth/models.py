"""The base class of auth's tables, and the table of accounts, to which other tables refer."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import MetaData, func
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from contracts.tokens import ADMIN_SCOPES, CUSTOMER_SCOPES, Scope
from kit.audit.entries import AuditEntry
from kit.db.columns import one_of, text_enum
from kit.db.engine import NAMING, TYPES


class Base(DeclarativeBase):
    """The base class of all tables of auth."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = TYPES


class AuditLogEntry(AuditEntry, Base):
    """An act of an operator or administrator."""


class Role(StrEnum):
    CUSTOMER = "customer"
    """Places orders and pays for them."""

    ADMIN = "admin"
    """An operator: can also read all orders and payments, refund, decide on held payments, and change the catalog."""


class Account(Base):
    """The account of a customer or an operator, who logs in with an email address and a password."""

    __tablename__ = "accounts"
    __table_args__ = (one_of("role", Role),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    email: Mapped[str] = mapped_column(unique=True)
    """Normalized by `normalize_email`."""
    name: Mapped[str | None]
    role: Mapped[Role] = mapped_column(text_enum(Role), server_default=Role.CUSTOMER)
    password_hash: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    @property
    def scopes(self) -> frozenset[Scope]:
        """The scopes that an access token of this account may carry."""
        return ADMIN_SCOPES if self.role is Role.ADMIN else CUSTOMER_SCOPES
