"""The transactions, one row each. Every function here is a job for the store's thread."""

import json
import secrets
import sqlite3
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from sandbox.door.cursors import Cursor
from sandbox.errors import DuplicateReference
from sandbox.store import now
from sandbox.transactions.cards import ALPHABET, customer_id

KEPT = 200_000
"""Older transactions are forgotten, and their references with them."""
NOT_COMPLETED = "The transaction was not completed"


@dataclass(frozen=True, slots=True)
class Transaction:
    """A row, in the order of the table's columns. Money in subunits, times in milliseconds since 1970."""

    id: int
    reference: str
    access_code: str
    domain: str
    status: str
    email: str
    customer: int
    amount: int
    requested_amount: int
    currency: str
    fees: int | None
    metadata: str | None
    """JSON."""
    callback_url: str | None
    label: str | None
    ip_address: str | None
    message: str | None
    gateway_response: str
    created_at: int
    paid_at: int | None
    channel: str
    card: str
    log: str | None
    """JSON: what the payer did."""
    entry_point: str
    settlement: int | None

    @property
    def paid(self) -> bool:
        """Also when the money has gone back since."""
        return self.paid_at is not None

    @property
    def cancel_action(self) -> Any:
        metadata = json.loads(self.metadata) if self.metadata else None
        return metadata.get("cancel_action") if isinstance(metadata, dict) else None


@dataclass(frozen=True, slots=True)
class Opening:
    """What a merchant asks for at initialize, already read and checked."""

    email: str
    amount: int
    currency: str
    reference: str | None
    metadata: str | None
    callback_url: str | None
    label: str | None


@dataclass(frozen=True, slots=True)
class Filter:
    """Which transactions to list; None is any. Times in milliseconds since 1970, both included."""

    status: str | None = None
    customer: int | None = None
    amount: int | None = None
    channel: str | None = None
    settlement: int | None = None
    since: int | None = None
    until: int | None = None

    @property
    def values(self) -> dict[str, Any]:
        return {each: getattr(self, each) for each in Filter.__slots__}


@dataclass(frozen=True, slots=True)
class Page:
    transactions: list[Transaction]
    total: int
    volume: int


@dataclass(frozen=True, slots=True)
class Total:
    """Money in subunits; pending is what was not settled yet."""

    currency: str
    count: int
    volume: int
    pending: int


def _random(length: int) -> str:
    return "".join(ALPHABET[byte % len(ALPHABET)] for byte in secrets.token_bytes(length))


def add(
    connection: sqlite3.Connection, opening: Opening, domain: str, entry_point: str = "transaction_initialize"
) -> Transaction:
    """Errors: DuplicateReference, whatever became of the first transaction."""
    row = connection.execute(
        "INSERT INTO transactions (reference, access_code, domain, status, email, customer, amount, requested_amount,"
        " currency, metadata, callback_url, label, gateway_response, created_at, entry_point)"
        " VALUES (?, ?, ?, 'abandoned', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (reference) DO NOTHING RETURNING *",
        (
            opening.reference or _random(10),
            _random(15),
            domain,
            opening.email,
            customer_id(opening.email),
            opening.amount,
            opening.amount,
            opening.currency,
            opening.metadata,
            opening.callback_url,
            opening.label,
            NOT_COMPLETED,
            now(),
            entry_point,
        ),
    ).fetchone()
    if row is None:
        raise DuplicateReference
    added = Transaction(*row)
    if added.id % 1_000 == 0:
        connection.execute("DELETE FROM transactions WHERE id <= ?", (added.id - KEPT,))
    return added


def find(connection: sqlite3.Connection, reference: str) -> Transaction | None:
    row = connection.execute("SELECT * FROM transactions WHERE reference = ?", (reference,)).fetchone()
    return Transaction(*row) if row else None


def find_by_id(connection: sqlite3.Connection, number: int) -> Transaction | None:
    row = connection.execute("SELECT * FROM transactions WHERE id = ?", (number,)).fetchone()
    return Transaction(*row) if row else None


def find_all(connection: sqlite3.Connection, numbers: Collection[int]) -> dict[int, Transaction]:
    """By id; at most a page of them."""
    marks = ", ".join("?" * len(numbers))
    rows = connection.execute(f"SELECT * FROM transactions WHERE id IN ({marks})", tuple(numbers))  # noqa: S608
    return {row[0]: Transaction(*row) for row in rows}


def find_by_access_code(connection: sqlite3.Connection, access_code: str) -> Transaction | None:
    row = connection.execute("SELECT * FROM transactions WHERE access_code = ?", (access_code,)).fetchone()
    return Transaction(*row) if row else None


MATCHING = (
    " FROM transactions WHERE (:status IS NULL OR status = :status) AND (:customer IS NULL OR customer = :customer)"
    " AND (:amount IS NULL OR amount = :amount) AND (:channel IS NULL OR channel = :channel)"
    " AND (:settlement IS NULL OR settlement = :settlement) AND (:since IS NULL OR created_at >= :since)"
    " AND (:until IS NULL OR created_at <= :until)"
)


def page(connection: sqlite3.Connection, wanted: Filter, limit: int, skip: int) -> Page:
    """Newest first, with the count and the volume of everything that matches."""
    values = wanted.values | {"limit": limit, "skip": skip}
    total, volume = connection.execute("SELECT count(*), coalesce(sum(amount), 0)" + MATCHING, values).fetchone()
    rows = connection.execute("SELECT *" + MATCHING + " ORDER BY id DESC LIMIT :limit OFFSET :skip", values)
    return Page([Transaction(*row) for row in rows], total, volume)


def turned(connection: sqlite3.Connection, wanted: Filter, cursor: Cursor) -> list[Transaction]:
    """From a cursor on, and one more."""
    rows = connection.execute("SELECT *" + MATCHING + cursor.ending, wanted.values | cursor.values)
    return [Transaction(*row) for row in rows]


def totals(connection: sqlite3.Connection, since: int | None, until: int | None) -> list[Total]:
    """Of everything that was paid, a line a currency."""
    rows = connection.execute(
        "SELECT currency, count(*), sum(amount), sum(iif(settlement IS NULL, amount - coalesce(fees, 0), 0))"
        " FROM transactions WHERE paid_at IS NOT NULL AND (:since IS NULL OR created_at >= :since)"
        " AND (:until IS NULL OR created_at <= :until) GROUP BY currency ORDER BY currency",
        {"since": since, "until": until},
    )
    return [Total(*row) for row in rows]


def latest(connection: sqlite3.Connection, limit: int) -> list[Transaction]:
    rows = connection.execute("SELECT * FROM transactions ORDER BY id DESC LIMIT ?", (limit,))
    return [Transaction(*row) for row in rows]


def write(connection: sqlite3.Connection, transaction: Transaction, **changes: Any) -> Transaction:
    """Write what a payer's attempt changes."""
    changed = replace(transaction, **changes)
    connection.execute(
        "UPDATE transactions SET domain = ?, status = ?, amount = ?, currency = ?, fees = ?, ip_address = ?,"
        " message = ?, gateway_response = ?, paid_at = ?, channel = ?, card = ?, log = ? WHERE id = ?",
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
            changed.log,
            changed.id,
        ),
    )
    return changed


def stand(connection: sqlite3.Connection, number: int, status: str) -> None:
    """Write what refunds and disputes make of a payment."""
    connection.execute("UPDATE transactions SET status = ? WHERE id = ?", (status, number))
