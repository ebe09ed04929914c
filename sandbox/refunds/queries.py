"""SQL of the refunds table. All functions run in the store's thread."""

import sqlite3

from sandbox.enums import RefundStatus, TransactionStatus
from sandbox.refunds.models import Filter, Page, Refund

ROWS_KEPT = 200_000
"""Number of latest refunds that are kept. Older ones are deleted."""

COLUMNS = tuple(Refund.__slots__)
INSERT = f"INSERT INTO refunds ({', '.join(COLUMNS[1:])}) VALUES ({', '.join('?' * len(COLUMNS[1:]))}) RETURNING *"  # noqa: S608


def add(connection: sqlite3.Connection, refund: Refund) -> Refund:
    """Insert a refund and return it with its id."""
    values = tuple(getattr(refund, column) for column in COLUMNS[1:])
    added = Refund.from_row(connection.execute(INSERT, values).fetchone())
    if added.id % 1_000 == 0:
        connection.execute("DELETE FROM refunds WHERE id <= ?", (added.id - ROWS_KEPT,))
    return added


def find(connection: sqlite3.Connection, refund_id: int) -> Refund | None:
    row = connection.execute("SELECT * FROM refunds WHERE id = ?", (refund_id,)).fetchone()
    return Refund.from_row(row) if row else None


def list_due(connection: sqlite3.Connection, at: int, limit: int) -> list[Refund]:
    """Return the refunds whose next step is due, the longest overdue first. `at`: milliseconds since 1970."""
    rows = connection.execute(
        "SELECT * FROM refunds WHERE next_step_at <= ? ORDER BY next_step_at LIMIT ?", (at, limit)
    )
    return [Refund.from_row(row) for row in rows.fetchall()]


def next_due_at(connection: sqlite3.Connection) -> int | None:
    (at,) = connection.execute("SELECT min(next_step_at) FROM refunds WHERE next_step_at IS NOT NULL").fetchone()
    return None if at is None else int(at)


def save(connection: sqlite3.Connection, changed: Refund) -> Refund:
    """Write the columns that a step changes."""
    connection.execute(
        "UPDATE refunds SET status = ?, updated_at = ?, refunded_at = ?, next_step_at = ?, final_status = ? WHERE id = ?",
        (
            changed.status,
            changed.updated_at,
            changed.refunded_at,
            changed.next_step_at,
            changed.final_status,
            changed.id,
        ),
    )
    return changed


def sum_refunded(connection: sqlite3.Connection, transaction_id: int) -> int:
    """Return the subunits that were refunded or will be: the sum of all refunds that have not failed."""
    (total,) = connection.execute(
        "SELECT coalesce(sum(amount), 0) FROM refunds WHERE transaction_id = ? AND status <> 'failed'",
        (transaction_id,),
    ).fetchone()
    return int(total)


def transaction_status(connection: sqlite3.Connection, transaction_id: int) -> TransactionStatus:
    """Return the status of a paid transaction that follows from its refunds."""
    rows = connection.execute("SELECT DISTINCT status FROM refunds WHERE transaction_id = ?", (transaction_id,))
    statuses = {RefundStatus(status) for (status,) in rows}
    if statuses - {RefundStatus.PROCESSED, RefundStatus.FAILED}:
        return TransactionStatus.REVERSAL_PENDING
    return TransactionStatus.REVERSED if RefundStatus.PROCESSED in statuses else TransactionStatus.SUCCESS


MATCHING = (
    " FROM refunds WHERE (:transaction_id IS NULL OR transaction_id = :transaction_id)"
    " AND (:currency IS NULL OR currency = :currency)"
    " AND (:since IS NULL OR created_at >= :since) AND (:until IS NULL OR created_at <= :until)"
)


def list_page(connection: sqlite3.Connection, wanted: Filter, limit: int, skip: int) -> Page:
    """Return one page, newest first, with the counts of all matching refunds."""
    values = wanted.sql_values | {"limit": limit, "skip": skip}
    total, failed = connection.execute(
        "SELECT count(*), coalesce(sum(status = 'failed'), 0)" + MATCHING, values
    ).fetchone()
    rows = connection.execute("SELECT *" + MATCHING + " ORDER BY id DESC LIMIT :limit OFFSET :skip", values)
    return Page([Refund.from_row(row) for row in rows], total, failed)
