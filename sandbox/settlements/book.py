"""The settlements, one row each. Every function here is a job for the store's thread."""

import sqlite3
from dataclasses import dataclass
from typing import Any

from sandbox.identity import INTEGRATION
from sandbox.store import now
from sandbox.transactions.bodies import instant

KEPT = 50_000
"""Older settlements are forgotten."""
DAY = 24 * 3_600_000


@dataclass(frozen=True, slots=True)
class Settlement:
    """A row, in the order of the table's columns. Money in subunits, times in milliseconds since 1970."""

    id: int
    domain: str
    currency: str
    processed: int
    fees: int
    deductions: int
    created_at: int


def settle(connection: sqlite3.Connection, domain: str) -> list[Settlement]:
    """Pay out whatever was paid and is not settled, a settlement a currency."""
    sums = connection.execute(
        "SELECT currency, sum(amount), coalesce(sum(fees), 0) FROM transactions"
        " WHERE paid_at IS NOT NULL AND settlement IS NULL GROUP BY currency ORDER BY currency"
    ).fetchall()
    return [_settle(connection, domain, *each) for each in sums]


def _settle(connection: sqlite3.Connection, domain: str, currency: str, processed: int, fees: int) -> Settlement:
    deducted = _deducted(connection, currency, processed - fees)
    row = connection.execute(
        "INSERT INTO settlements (domain, currency, processed, fees, deductions, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?) RETURNING *",
        (domain, currency, processed, fees, sum(deducted.values()), now()),
    ).fetchone()
    settlement = Settlement(*row)
    connection.execute(
        "UPDATE transactions SET settlement = ? WHERE currency = ? AND paid_at IS NOT NULL AND settlement IS NULL",
        (settlement.id, currency),
    )
    connection.executemany(
        "UPDATE refunds SET settlement = ? WHERE id = ?", [(settlement.id, each) for each in deducted]
    )
    if settlement.id % 1_000 == 0:
        connection.execute("DELETE FROM settlements WHERE id <= ?", (settlement.id - KEPT,))
    return settlement


def _deducted(connection: sqlite3.Connection, currency: str, available: int) -> dict[int, int]:
    """Refunds that the payout can bear, oldest first, with their amounts; the others wait for the next."""
    deducted: dict[int, int] = {}
    for number, amount in connection.execute(
        "SELECT id, amount FROM refunds WHERE status = 'processed' AND settlement IS NULL AND currency = ? ORDER BY id",
        (currency,),
    ):
        if amount <= available:
            deducted[number] = amount
            available -= amount
    return deducted


def find(connection: sqlite3.Connection, number: int) -> Settlement | None:
    row = connection.execute("SELECT * FROM settlements WHERE id = ?", (number,)).fetchone()
    return Settlement(*row) if row else None


def page(
    connection: sqlite3.Connection, since: int | None, until: int | None, limit: int, skip: int
) -> tuple[list[Settlement], int]:
    """Newest first, with the count of everything that matches."""
    matching = (
        " FROM settlements WHERE (:since IS NULL OR created_at >= :since) AND (:until IS NULL OR created_at <= :until)"
    )
    values = {"since": since, "until": until, "limit": limit, "skip": skip}
    (total,) = connection.execute("SELECT count(*)" + matching, values).fetchone()
    rows = connection.execute("SELECT *" + matching + " ORDER BY id DESC LIMIT :limit OFFSET :skip", values)
    return [Settlement(*row) for row in rows], total


def body(settlement: Settlement) -> dict[str, Any]:
    at = instant(settlement.created_at)
    net = settlement.processed - settlement.fees
    return {
        "id": settlement.id,
        "domain": settlement.domain,
        "status": "success",
        "currency": settlement.currency,
        "integration": INTEGRATION,
        "total_amount": net,
        "effective_amount": net - settlement.deductions,
        "total_fees": settlement.fees,
        "total_processed": settlement.processed,
        "deductions": settlement.deductions or None,
        "settlement_date": instant(settlement.created_at // DAY * DAY),
        "settled_by": None,
        "createdAt": at,
        "updatedAt": at,
    }
