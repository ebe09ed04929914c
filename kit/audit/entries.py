"""The audit log: one entry for each recorded act, mostly of staff, written in the transaction of the act.

Entries are never changed: a trigger refuses it, and the application's role has no privilege for it (kit/db/privileges.py). They are never
deleted either: people write them, so a shop with a hundred acts a day writes 40,000 entries a year, about 20 MB.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Identity, Index, func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, declared_attr, mapped_column
from sqlalchemy.schema import SchemaItem

from kit.audit.actor import Actor


class AuditEntry:
    """Mixin for a service's table of audit entries. `before` and `after` contain only what the act changed, and no secret."""

    __tablename__ = "audit_log"

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.now())
    actor: Mapped[str]
    address: Mapped[str | None]
    act: Mapped[str]
    subject: Mapped[str]
    before: Mapped[dict[str, Any] | None]
    after: Mapped[dict[str, Any] | None]
    reason: Mapped[str | None]
    request_id: Mapped[str | None]

    @declared_attr.directive
    @classmethod
    def __table_args__(cls) -> tuple[SchemaItem, ...]:
        return (Index(None, "actor", "id"), Index(None, "subject", "id"))


async def record(
    session: AsyncSession,
    entries: type[AuditEntry],
    actor: Actor,
    act: str,
    subject: object,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str | None = None,
) -> None:
    """Record an act in the transaction of `session`.

    `act` is a word in the past tense, such as `payment.accepted`. `subject` identifies what was changed, such as the reference of a
    payment. `before` and `after` are JSON values, `reason` is the operator's own text.
    """
    values = {
        "actor": actor.id,
        "address": actor.address,
        "act": act,
        "subject": str(subject),
        "before": before,
        "after": after,
        "reason": reason,
        "request_id": actor.request_id,
    }
    # A value that is not given stays NULL. SQLAlchemy would write None into a JSON column as the JSON value null.
    given = {name: value for name, value in values.items() if value is not None}
    await session.execute(insert(entries).values(given))


E = TypeVar("E", bound=AuditEntry)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Select audit entries. None selects all; `since` is inclusive, `until` is exclusive."""

    actor: str | None = None
    act: str | None = None
    subject: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def conditions(self, entries: type[AuditEntry]) -> list[ColumnElement[bool]]:
        """Return the conditions of a WHERE clause."""
        equal = {entries.actor: self.actor, entries.act: self.act, entries.subject: self.subject}
        found = [column == value for column, value in equal.items() if value is not None]
        if self.since is not None:
            found.append(entries.recorded_at >= self.since)
        if self.until is not None:
            found.append(entries.recorded_at < self.until)
        return found


async def list_entries(
    session: AsyncSession, entries: type[E], selected: AuditFilter, limit: int, before: int | None = None
) -> list[E]:
    """Return up to `limit` entries, newest first; with `before`, only those with a smaller id."""
    query = select(entries).where(*selected.conditions(entries)).order_by(entries.id.desc()).limit(limit)
    found = await session.execute(query if before is None else query.where(entries.id < before))
    return list(found.scalars())
