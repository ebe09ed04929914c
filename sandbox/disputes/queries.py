"""SQL of the disputes table. All functions run in the store's thread."""

import sqlite3

from sandbox.disputes.models import Dispute, Filter

ROWS_KEPT = 50_000
"""Number of latest disputes that are kept. Older ones are deleted."""

COLUMNS = tuple(Dispute.__slots__)
INSERT = f"INSERT INTO disputes ({', '.join(COLUMNS[1:])}) VALUES ({', '.join('?' * len(COLUMNS[1:]))}) RETURNING *"  # noqa: S608


def add(connection: sqlite3.Connection, dispute: Dispute) -> Dispute:
    """Insert a dispute and return it with its id."""
    values = tuple(getattr(dispute, column) for column in COLUMNS[1:])
    added = Dispute.from_row(connection.execute(INSERT, values).fetchone())
    if added.id % 1_000 == 0:
        connection.execute("DELETE FROM disputes WHERE id <= ?", (added.id - ROWS_KEPT,))
    return added


def find(connection: sqlite3.Connection, dispute_id: int) -> Dispute | None:
    row = connection.execute("SELECT * FROM disputes WHERE id = ?", (dispute_id,)).fetchone()
    return Dispute.from_row(row) if row else None


def find_latest(connection: sqlite3.Connection, transaction_id: int) -> Dispute | None:
    """Return the latest dispute of a transaction."""
    row = connection.execute(
        "SELECT * FROM disputes WHERE transaction_id = ? ORDER BY id DESC LIMIT 1", (transaction_id,)
    ).fetchone()
    return Dispute.from_row(row) if row else None


def list_due(connection: sqlite3.Connection, at: int, limit: int) -> list[Dispute]:
    """Return the disputes whose next step is due, the longest overdue first. `at`: milliseconds since 1970."""
    rows = connection.execute(
        "SELECT * FROM disputes WHERE next_step_at <= ? ORDER BY next_step_at LIMIT ?", (at, limit)
    )
    return [Dispute.from_row(row) for row in rows.fetchall()]


def next_due_at(connection: sqlite3.Connection) -> int | None:
    (at,) = connection.execute("SELECT min(next_step_at) FROM disputes WHERE next_step_at IS NOT NULL").fetchone()
    return None if at is None else int(at)


def save(connection: sqlite3.Connection, changed: Dispute) -> Dispute:
    """Write the columns that a step changes."""
    connection.execute(
        "UPDATE disputes SET status = ?, resolution = ?, refund_amount = ?, merchant_message = ?, attachments = ?,"
        " evidence = ?, updated_at = ?, resolved_at = ?, next_step_at = ? WHERE id = ?",
        (
            changed.status,
            changed.resolution,
            changed.refund_amount,
            changed.merchant_message,
            changed.attachments,
            changed.evidence,
            changed.updated_at,
            changed.resolved_at,
            changed.next_step_at,
            changed.id,
        ),
    )
    return changed


MATCHING = (
    " FROM disputes WHERE (:transaction_id IS NULL OR transaction_id = :transaction_id)"
    " AND (:status IS NULL OR status = :status)"
    " AND (:since IS NULL OR created_at >= :since) AND (:until IS NULL OR created_at <= :until)"
)


def list_page(connection: sqlite3.Connection, wanted: Filter, limit: int, skip: int) -> tuple[list[Dispute], int]:
    """Return one page, newest first, and the number of all matching disputes."""
    values = wanted.sql_values | {"limit": limit, "skip": skip}
    (total,) = connection.execute("SELECT count(*)" + MATCHING, values).fetchone()
    rows = connection.execute("SELECT *" + MATCHING + " ORDER BY id DESC LIMIT :limit OFFSET :skip", values)
    return [Dispute.from_row(row) for row in rows], total
