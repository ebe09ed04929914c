"""SQL of the transactions table. All functions run in the store's thread."""

import secrets
import sqlite3
from collections.abc import Collection

from sandbox.api.cursors import Cursor
from sandbox.enums import Domain, TransactionStatus
from sandbox.errors import DuplicateReference
from sandbox.integration import queries as integration_queries
from sandbox.timestamps import now
from sandbox.transactions.cards import ALPHABET, customer_id
from sandbox.transactions.models import CurrencyTotal, Filter, NewTransaction, Page, Transaction

ROWS_KEPT = 200_000
"""Number of latest transactions that are kept. Older ones are deleted, and their references can be used again."""
NOT_COMPLETED = "The transaction was not completed"


def _random_code(length: int) -> str:
    return "".join(ALPHABET[byte % len(ALPHABET)] for byte in secrets.token_bytes(length))


def add(
    connection: sqlite3.Connection,
    new: NewTransaction,
    domain: Domain,
    entry_point: str = "transaction_initialize",
) -> Transaction:
    """Insert an unpaid transaction. Raises DuplicateReference, also if the existing transaction failed or was abandoned."""
    at, timeout = now(), integration_queries.find_session_timeout(connection)
    row = connection.execute(
        "INSERT INTO transactions (reference, access_code, domain, status, email, customer, amount, requested_amount,"
        " currency, metadata, callback_url, label, channels, gateway_response, created_at, entry_point,"
        " expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (reference) DO NOTHING RETURNING *",
        (
            new.reference or _random_code(10),
            _random_code(15),
            domain,
            TransactionStatus.ABANDONED,
            new.email,
            customer_id(new.email),
            new.amount,
            new.amount,
            new.currency,
            new.metadata,
            new.callback_url,
            new.label,
            new.channels,
            NOT_COMPLETED,
            at,
            entry_point,
            at + timeout * 1000 if timeout else None,
        ),
    ).fetchone()
    if row is None:
        raise DuplicateReference
    added = Transaction.from_row(row)
    if added.id % 1_000 == 0:
        connection.execute("DELETE FROM transactions WHERE id <= ?", (added.id - ROWS_KEPT,))
        connection.execute("DELETE FROM pending_charges WHERE transaction_id <= ?", (added.id - ROWS_KEPT,))
    return added


def find(connection: sqlite3.Connection, reference: str) -> Transaction | None:
    row = connection.execute("SELECT * FROM transactions WHERE reference = ?", (reference,)).fetchone()
    return Transaction.from_row(row) if row else None


def find_by_id(connection: sqlite3.Connection, transaction_id: int) -> Transaction | None:
    row = connection.execute("SELECT * FROM transactions WHERE id = ?", (transaction_id,)).fetchone()
    return Transaction.from_row(row) if row else None


def find_by_ids(connection: sqlite3.Connection, ids: Collection[int]) -> dict[int, Transaction]:
    """Return the transactions with these ids, by id."""
    placeholders = ", ".join("?" * len(ids))
    rows = connection.execute(f"SELECT * FROM transactions WHERE id IN ({placeholders})", tuple(ids))  # noqa: S608
    return {row[0]: Transaction.from_row(row) for row in rows}


def find_by_access_code(connection: sqlite3.Connection, access_code: str) -> Transaction | None:
    row = connection.execute("SELECT * FROM transactions WHERE access_code = ?", (access_code,)).fetchone()
    return Transaction.from_row(row) if row else None


MATCHING = (
    " FROM transactions WHERE (:status IS NULL OR status = :status) AND (:customer IS NULL OR customer = :customer)"
    " AND (:amount IS NULL OR amount = :amount) AND (:channel IS NULL OR channel = :channel)"
    " AND (:settlement IS NULL OR settlement = :settlement) AND (:since IS NULL OR created_at >= :since)"
    " AND (:until IS NULL OR created_at <= :until)"
)


def list_page(connection: sqlite3.Connection, wanted: Filter, limit: int, skip: int) -> Page:
    """Return one page, newest first, with the count and the volume of all matching transactions."""
    values = wanted.sql_values | {"limit": limit, "skip": skip}
    total, volume = connection.execute("SELECT count(*), coalesce(sum(amount), 0)" + MATCHING, values).fetchone()
    rows = connection.execute("SELECT *" + MATCHING + " ORDER BY id DESC LIMIT :limit OFFSET :skip", values)
    return Page([Transaction.from_row(row) for row in rows], total, volume)


def list_from_cursor(connection: sqlite3.Connection, wanted: Filter, cursor: Cursor) -> list[Transaction]:
    """Return one page, with the extra row that `cursor_page` needs."""
    rows = connection.execute("SELECT *" + MATCHING + cursor.sql_suffix, wanted.sql_values | cursor.sql_values)
    return [Transaction.from_row(row) for row in rows]


def sum_by_currency(connection: sqlite3.Connection, since: int | None, until: int | None) -> list[CurrencyTotal]:
    rows = connection.execute(
        "SELECT currency, count(*), sum(amount), sum(iif(settlement IS NULL, amount - coalesce(fees, 0), 0))"
        " FROM transactions WHERE paid_at IS NOT NULL AND (:since IS NULL OR created_at >= :since)"
        " AND (:until IS NULL OR created_at <= :until) GROUP BY currency ORDER BY currency",
        {"since": since, "until": until},
    )
    return [CurrencyTotal(*row) for row in rows]


def list_latest(connection: sqlite3.Connection, limit: int) -> list[Transaction]:
    rows = connection.execute("SELECT * FROM transactions ORDER BY id DESC LIMIT ?", (limit,))
    return [Transaction.from_row(row) for row in rows]


def save_attempt(connection: sqlite3.Connection, changed: Transaction) -> Transaction:
    """Write the columns that an attempt to pay changes."""
    connection.execute(
        "UPDATE transactions SET domain = ?, status = ?, amount = ?, currency = ?, fees = ?, ip_address = ?,"
        " message = ?, gateway_response = ?, paid_at = ?, channel = ?, card = ?, timeline = ? WHERE id = ?",
        (
            changed.domain,
            changed.status,
            changed.amount,
            changed.currency,
            changed.fees,
            changed.ip_address,
            changed.message,
            changed.gateway_response,
            changed.paid_at,
            changed.channel,
            changed.card,
            changed.timeline,
            changed.id,
        ),
    )
    return changed


def set_status(connection: sqlite3.Connection, transaction_id: int, status: TransactionStatus) -> None:
    """Write the status that refunds and disputes give to a paid transaction."""
    connection.execute("UPDATE transactions SET status = ? WHERE id = ?", (status, transaction_id))
