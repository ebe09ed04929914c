"""Cards and mandates that payers left behind, to be charged again. Every function here is a job for the store's thread."""

import sqlite3
from dataclasses import dataclass

from sandbox.transactions.channels import REUSABLE, Channel, saved_code
from sandbox.transactions.ledger import Transaction

KEPT = 200_000
"""Older cards are forgotten."""


@dataclass(frozen=True, slots=True)
class Authorization:
    """Whose card it is; the card by its number."""

    email: str
    card: str
    channel: Channel


def save(connection: sqlite3.Connection, transaction: Transaction) -> None:
    """After a payment. A card that was taken out of use is in use again."""
    if transaction.channel not in REUSABLE:
        return
    cursor = connection.execute(
        "INSERT INTO authorizations (code, email, card, channel) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (code) DO UPDATE SET active = 1 WHERE NOT active",
        (saved_code(transaction), transaction.email.lower(), transaction.card, transaction.channel),
    )
    if cursor.rowcount and cursor.lastrowid and cursor.lastrowid % 1_000 == 0:
        connection.execute("DELETE FROM authorizations WHERE number <= ?", (cursor.lastrowid - KEPT,))


def find(connection: sqlite3.Connection, code: str) -> Authorization | None:
    """One that is in use."""
    row = connection.execute(
        "SELECT email, card, channel FROM authorizations WHERE code = ? AND active", (code,)
    ).fetchone()
    return Authorization(*row) if row else None


def deactivate(connection: sqlite3.Connection, code: str) -> bool:
    """Whether there was one in use."""
    return connection.execute("UPDATE authorizations SET active = 0 WHERE code = ? AND active", (code,)).rowcount > 0
