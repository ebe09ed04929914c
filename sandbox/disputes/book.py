"""The disputes, one row each. Every function here is a job for the store's thread."""

import json
import sqlite3
from dataclasses import dataclass, replace
from typing import Any, Literal

Status = Literal["awaiting-merchant-feedback", "awaiting-bank-feedback", "pending", "resolved"]
STATUSES: tuple[Status, ...] = ("awaiting-merchant-feedback", "awaiting-bank-feedback", "pending", "resolved")
Category = Literal["chargeback", "fraud", "general"]
Resolution = Literal["merchant-accepted", "auto-accepted", "declined"]
KEPT = 50_000
"""Older disputes are forgotten."""


@dataclass(frozen=True, slots=True)
class Dispute:
    """A row, in the order of the table's columns. Money in subunits, times in milliseconds since 1970."""

    id: int
    transaction_id: int
    domain: str
    status: Status
    resolution: Resolution | None
    refund_amount: int
    currency: str
    category: Category
    complaint: str
    answer: str | None
    """The merchant's words."""
    attachments: str | None
    """The name of an uploaded file."""
    evidence: str | None
    """JSON."""
    created_at: int
    updated_at: int
    due_at: int
    resolved_at: int | None
    next_at: int | None
    """When the next reminder or the end comes by itself."""

    @property
    def evidence_fields(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.evidence) if self.evidence else {}
        return found


@dataclass(frozen=True, slots=True)
class Filter:
    """Which disputes to list; None is any. Times in milliseconds since 1970, both included."""

    transaction_id: int | None = None
    status: str | None = None
    since: int | None = None
    until: int | None = None


COLUMNS = tuple(Dispute.__slots__)
INSERT = f"INSERT INTO disputes ({', '.join(COLUMNS[1:])}) VALUES ({', '.join('?' * len(COLUMNS[1:]))}) RETURNING *"  # noqa: S608


def add(connection: sqlite3.Connection, dispute: Dispute) -> Dispute:
    """Answers it with the id that it gets."""
    values = tuple(getattr(dispute, column) for column in COLUMNS[1:])
    added = Dispute(*connection.execute(INSERT, values).fetchone())
    if added.id % 1_000 == 0:
        connection.execute("DELETE FROM disputes WHERE id <= ?", (added.id - KEPT,))
    return added


def find(connection: sqlite3.Connection, number: int) -> Dispute | None:
    row = connection.execute("SELECT * FROM disputes WHERE id = ?", (number,)).fetchone()
    return Dispute(*row) if row else None


def latest_of(connection: sqlite3.Connection, transaction_id: int) -> Dispute | None:
    row = connection.execute(
        "SELECT * FROM disputes WHERE transaction_id = ? ORDER BY id DESC LIMIT 1", (transaction_id,)
    ).fetchone()
    return Dispute(*row) if row else None


def due(connection: sqlite3.Connection, at: int, limit: int) -> list[Dispute]:
    rows = connection.execute("SELECT * FROM disputes WHERE next_at <= ? ORDER BY next_at LIMIT ?", (at, limit))
    return [Dispute(*row) for row in rows.fetchall()]


def next_due(connection: sqlite3.Connection) -> int | None:
    (next_at,) = connection.execute("SELECT min(next_at) FROM disputes WHERE next_at IS NOT NULL").fetchone()
    return None if next_at is None else int(next_at)


def write(connection: sqlite3.Connection, dispute: Dispute, **changes: Any) -> Dispute:
    changed = replace(dispute, **changes)
    connection.execute(
        "UPDATE disputes SET status = ?, resolution = ?, refund_amount = ?, answer = ?, attachments = ?, evidence = ?,"
        " updated_at = ?, resolved_at = ?, next_at = ? WHERE id = ?",
        (
            changed.status,
            changed.resolution,
            changed.refund_amount,
            changed.answer,
            changed.attachments,
            changed.evidence,
            changed.updated_at,
            changed.resolved_at,
            changed.next_at,
            changed.id,
        ),
    )
    return changed


MATCHING = (
    " FROM disputes WHERE (:transaction_id IS NULL OR transaction_id = :transaction_id)"
    " AND (:status IS NULL OR status = :status)"
    " AND (:since IS NULL OR created_at >= :since) AND (:until IS NULL OR created_at <= :until)"
)


def page(connection: sqlite3.Connection, wanted: Filter, limit: int, skip: int) -> tuple[list[Dispute], int]:
    """Newest first, with the count of everything that matches."""
    values = {each: getattr(wanted, each) for each in Filter.__slots__} | {"limit": limit, "skip": skip}
    (total,) = connection.execute("SELECT count(*)" + MATCHING, values).fetchone()
    rows = connection.execute("SELECT *" + MATCHING + " ORDER BY id DESC LIMIT :limit OFFSET :skip", values)
    return [Dispute(*row) for row in rows], total
