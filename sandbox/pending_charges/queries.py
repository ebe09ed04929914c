"""SQL of the pending charges. All functions run in the store's thread."""

import sqlite3

from sandbox.pending_charges.models import PendingCharge

COLUMNS = ", ".join(PendingCharge.__slots__)
PLACEHOLDERS = ", ".join("?" * len(PendingCharge.__slots__))


def save(connection: sqlite3.Connection, charge: PendingCharge) -> PendingCharge:
    """Insert the charge, or replace the earlier one of its transaction."""
    values = tuple(getattr(charge, name) for name in PendingCharge.__slots__)
    connection.execute(f"REPLACE INTO pending_charges ({COLUMNS}) VALUES ({PLACEHOLDERS})", values)  # noqa: S608
    return charge


def find(connection: sqlite3.Connection, transaction_id: int) -> PendingCharge | None:
    row = connection.execute("SELECT * FROM pending_charges WHERE transaction_id = ?", (transaction_id,)).fetchone()
    return PendingCharge.from_row(row) if row else None


def delete(connection: sqlite3.Connection, transaction_id: int) -> None:
    connection.execute("DELETE FROM pending_charges WHERE transaction_id = ?", (transaction_id,))


def list_due(connection: sqlite3.Connection, at: int, limit: int) -> list[PendingCharge]:
    """Return charges whose next step is due. `at`: milliseconds since 1970."""
    rows = connection.execute(
        "SELECT * FROM pending_charges WHERE next_step_at <= ? ORDER BY next_step_at LIMIT ?", (at, limit)
    )
    return [PendingCharge.from_row(row) for row in rows]


def next_due_at(connection: sqlite3.Connection) -> int | None:
    (due_at,) = connection.execute(
        "SELECT min(next_step_at) FROM pending_charges WHERE next_step_at IS NOT NULL"
    ).fetchone()
    return None if due_at is None else int(due_at)
