"""The base class of auth's tables, and the tables of accounts and roles, to which other tables refer."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

from sqlalchemy import CheckConstraint, Computed, ForeignKey, Index, MetaData, and_, false, func, or_, text
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from kit.audit.entries import AuditEntry
from kit.db.engine import NAMING, TYPES
from kit.messaging.outbox import OutboxEvent
from services.auth.errors import AccountNeeded


class Base(DeclarativeBase):
    """The base class of all tables of auth."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = TYPES


class AuditLogEntry(AuditEntry, Base):
    """The record of an act."""


class OutboxRow(OutboxEvent, Base):
    """Events that wait to be published."""


CUSTOMER = "customer"
"""The role of every new account."""

ADMIN = "admin"
"""The role of administrators."""

WORD_SEPARATORS = "/.@_-"
"""These characters of a name are replaced by spaces before indexing. Postgres would index `J.Obi` as one host name."""

_NAME_WORDS = (
    f"to_tsvector('simple', translate(coalesce(name, ''), '{WORD_SEPARATORS}', '{' ' * len(WORD_SEPARATORS)}'))"
)


class Role(Base):
    """What the accounts of a role may do. Migrations write the rows."""

    __tablename__ = "roles"

    name: Mapped[str] = mapped_column(primary_key=True)
    scope: Mapped[str]
    """Space-separated."""


class Account(Base):
    """The account of a customer or an operator, who logs in with an e-mail address and a password, or a guest without both."""

    __tablename__ = "accounts"
    __table_args__ = (
        CheckConstraint("(email IS NULL) = (password_hash IS NULL)", name="guest"),
        Index("ix_accounts_guests", "created_at", postgresql_where=text("email IS NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    email: Mapped[str | None] = mapped_column(unique=True)
    """Normalized by `normalize_email`. None for a guest."""
    email_verified_at: Mapped[datetime | None]
    """When the owner proved that the address is theirs; None if they have not."""
    name: Mapped[str | None]
    name_words: Mapped[str] = mapped_column(TSVECTOR, Computed(_NAME_WORDS, persisted=True), deferred=True)
    """The words of the name, for operators who search for an account."""
    banned_at: Mapped[datetime | None]
    """When the last ban began; None if the account was never banned, or the ban was ended by an operator."""
    banned_until: Mapped[datetime | None]
    """When the ban ends by itself; None if it does not."""
    ban_reason: Mapped[str | None]
    """The operator's own text. The owner of the account does not see it."""
    role: Mapped[str] = mapped_column(
        ForeignKey("roles.name", ondelete="RESTRICT"), server_default=CUSTOMER, index=True
    )
    role_from_environment: Mapped[bool] = mapped_column(server_default=false())
    """True if the account has its role because AUTH_ADMIN_EMAIL named it, and no operator has confirmed it since."""
    password_hash: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    delete_at: Mapped[datetime | None] = mapped_column(index=True)
    """When the account is deleted, because its owner has asked for it; None if it is not."""
    changed_at: Mapped[datetime | None] = mapped_column(index=True)
    """When account.changed was last published."""

    role_row: Mapped[Role] = relationship(lazy="raise")

    @property
    def address(self) -> str:
        """The e-mail address of an account that is no guest. Raises AccountNeeded for a guest."""
        if self.email is None:
            raise AccountNeeded("A guest has no e-mail address and no password. Register with POST /auth/users first.")
        return self.email

    @property
    def email_verified(self) -> bool:
        """Whether the owner has proved that the address is theirs."""
        return self.email_verified_at is not None

    @property
    def banned(self) -> bool:
        """Whether the account is banned now."""
        return self.banned_at is not None and (self.banned_until is None or self.banned_until > datetime.now(UTC))

    @property
    def scopes(self) -> frozenset[str]:
        """The scopes that an access token of this account may carry. `role_row` must be loaded."""
        return frozenset(self.role_row.scope.split())


BANNED = and_(Account.banned_at.is_not(None), or_(Account.banned_until.is_(None), Account.banned_until > func.now()))
"""The condition of an account that is banned now."""

Index(None, Account.created_at, Account.id)
Index("ix_accounts_banned", Account.created_at, Account.id, postgresql_where=Account.banned_at.is_not(None))
Index("ix_accounts_email_prefix", Account.email, postgresql_ops={"email": "text_pattern_ops"})
Index(None, Account.name_words, postgresql_using="gin")
