"""The refunds, one row each. Every function here is a job for the store's thread."""

import sqlite3
from dataclasses import dataclass, replace
from typing import Any, Literal

from sandbox.transactions.cards import Ending

Status = Literal["pending", "processing", "processed", "failed", "needs-attention"]
KEPT = 200_000
"""Older refunds are forgotten."""


@dataclass(frozen=True, slots=True)
class Refund:
    """A row, in the order of the table's columns. Money in subunits, times in milliseconds since 1970."""

    id: int
    transaction_id: int
    reference: str
    """Of the transaction."""
    email: str
    domain: str
    amount: int
    currency: str
    status: Status
    ending: Ending
    customer_note: str
    merchant_note: str
    dispute: int | None
    settlement: int | None
    created_at: int
    updated_at: int
    refunded_at: int | None
    next_at: int | None
    """When it takes its next step by itself."""

    @property
    def over(self) -> bool:
        return self.status in ("processed", "failed")


@dataclass(frozen=True, slots=True)
class Filter:
    """Which refunds to list; None is any. Times in milliseconds since 1970, both included."""

    transaction_id: int | None = None
    currency: str | None = None
    since: int | None = None
    until: int | None = None


@dataclass(frozen=True, slots=True)
class Page:
    refunds: list[Refund]
    total: int
    failed: int


COLUMNS = tuple(Refund.__slots__)
INSERT = f"INSERT INTO refunds ({', '.join(COLUMNS[1:])}) VALUES ({', '.join('?' * len(COLUMNS[1:]))}) RETURNING *"  # noqa: S608


def add(connection: sqlite3.Connection, refund: Refund) -> Refund:
    """Answers it with the id that it gets."""
    values = tuple(getattr(refund, column) for column in COLUMNS[1:])
    added = Refund(*connection.execute(INSERT, values).fetchone())
    if added.id % 1_000 == 0:
        connection.execute("DELETE FROM refunds WHERE id <= ?", (added.id - KEPT,))
    return added


def find(connection: sqlite3.Connection, number: int) -> Refund | None:
    row = connection.execute("SELECT * FROM refunds WHERE id = ?", (number,)).fetchone()
    return Refund(*row) if row else None


def due(connection: sqlite3.Connection, at: int, limit: int) -> list[Refund]:
    rows = connection.execute("SELECT * FROM refunds WHERE next_at <= ? ORDER BY next_at LIMIT ?", (at, limit))
    return [Refund(*row) for row in rows.fetchall()]


def next_due(connection: sqlite3.Connection) -> int | None:
    (next_at,) = connection.execute("SELECT min(next_at) FROM refunds WHERE next_at IS NOT NULL").fetchone()
    return None if next_at is None else int(next_at)


def write(connection: sqlite3.Connection, refund: Refund, **changes: Any) -> Refund:
    """Write what a step changes."""
    changed = replace(refund, **changes)
    connection.execute(
        "UPDATE refunds SET status = ?, updated_at = ?, refunded_at = ?, next_at = ?, ending = ? WHERE id = ?",
        (changed.status, changed.updated_at, changed.refunded_at, changed.next_at, changed.ending, changed.id),
    )
    return changed


def taken(connection: sqlite3.Connection, transaction_id: int) -> int:
    """Subunits that went back or are on their way: all but the failed."""
    (total,) = connection.execute(
        "SELECT coalesce(sum(amount), 0) FROM refunds WHERE transaction_id = ? AND status <> 'failed'",
        (transaction_id,),
    ).fetchone()
    return int(total)


def standing(connection: sqlite3.Connection, transaction_id: int) -> str:
    """The status that its refunds give to a paid transaction."""
    rows = connection.execute("SELECT DISTINCT status FROM refunds WHERE transaction_id = ?", (transaction_id,))
    statuses = {status for (status,) in rows}
    if statuses - {"processed", "failed"}:
        return "reversal-pending"
    return "reversed" if "processed" in statuses else "success"


MATCHING = (
    " FROM refunds WHERE (:transaction_id IS NULL OR transaction_id = :transaction_id)"
    " AND (:currency IS NULL OR currency = :currency)"
    " AND (:since IS NULL OR created_at >= :since) AND (:until IS NULL OR created_at <= :until)"
)


def page(connection: sqlite3.Connection, wanted: Filter, limit: int, skip: int) -> Page:
    """Newest first, with the counts of everything that matches."""
    values = {each: getattr(wanted, each) for each in Filter.__slots__} | {"limit": limit, "skip": skip}
    total, failed = connection.execute(
        "SELECT count(*), coalesce(sum(status = 'failed'), 0)" + MATCHING, values
    ).fetchone()
    rows = connection.execute("SELECT *" + MATCHING + " ORDER BY id DESC LIMIT :limit OFFSET :skip", values)
    return Page([Refund(*row) for row in rows], total, failed)
