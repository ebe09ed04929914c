"""Saved cards and direct debit mandates. All functions run in the store's thread."""

import sqlite3
from dataclasses import dataclass

from sandbox.enums import Channel
from sandbox.transactions.channels import REUSABLE, authorization_code_of
from sandbox.transactions.models import Transaction
from sandbox.transactions.saved_card_errors import CardNotUsable, EmailDiffers

ROWS_KEPT = 200_000
"""Number of latest authorizations that are kept. Older ones are deleted."""


@dataclass(frozen=True, slots=True)
class Authorization:
    email: str
    card: str
    """Card number."""
    channel: Channel


def save(connection: sqlite3.Connection, transaction: Transaction) -> None:
    """Save the authorization of a paid transaction if it is reusable. A deactivated authorization becomes active again."""
    if transaction.channel not in REUSABLE:
        return
    cursor = connection.execute(
        "INSERT INTO authorizations (code, email, card, channel) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (code) DO UPDATE SET active = 1 WHERE NOT active",
        (authorization_code_of(transaction), transaction.email.lower(), transaction.card, transaction.channel),
    )
    if cursor.rowcount and cursor.lastrowid and cursor.lastrowid % 1_000 == 0:
        connection.execute("DELETE FROM authorizations WHERE id <= ?", (cursor.lastrowid - ROWS_KEPT,))


def find_active(connection: sqlite3.Connection, code: str) -> Authorization | None:
    row = connection.execute(
        "SELECT email, card, channel FROM authorizations WHERE code = ? AND active", (code,)
    ).fetchone()
    return Authorization(row[0], row[1], Channel(row[2])) if row else None


def find_usable(connection: sqlite3.Connection, code: str, email: str) -> Authorization:
    """Return the authorization to charge. Raises CardNotUsable if it is not active, EmailDiffers for the email of another payer."""
    authorization = find_active(connection, code)
    if authorization is None:
        raise CardNotUsable
    if authorization.email != email.lower():
        raise EmailDiffers
    return authorization


def deactivate(connection: sqlite3.Connection, code: str) -> bool:
    """Deactivate an authorization. Returns False when there is no active one with this code."""
    return connection.execute("UPDATE authorizations SET active = 0 WHERE code = ? AND active", (code,)).rowcount > 0
