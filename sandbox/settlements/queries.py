"""SQL of the settlements table. All functions run in the store's thread."""

import sqlite3
from dataclasses import dataclass
from typing import Any, Self

from sandbox.enums import Domain
from sandbox.timestamps import now

ROWS_KEPT = 50_000
"""Number of latest settlements that are kept. Older ones are deleted."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """A row, in the order of the table's columns. Money in subunits, times in milliseconds since 1970."""

    id: int
    domain: Domain
    currency: str
    processed: int
    """Sum of the transactions."""
    fees: int
    deductions: int
    """Sum of the refunds."""
    created_at: int

    @classmethod
    def from_row(cls, row: Any) -> Self:
        settlement_id, domain, *values = row
        return cls(settlement_id, Domain(domain), *values)


def settle(connection: sqlite3.Connection, domain: Domain) -> list[Settlement]:
    """Pay out all paid transactions that are in no settlement: create one settlement per currency."""
    sums = connection.execute(
        "SELECT currency, sum(amount), coalesce(sum(fees), 0) FROM transactions"
        " WHERE paid_at IS NOT NULL AND settlement IS NULL GROUP BY currency ORDER BY currency"
    ).fetchall()
    return [_settle_currency(connection, domain, *row) for row in sums]


def _settle_currency(
    connection: sqlite3.Connection, domain: Domain, currency: str, processed: int, fees: int
) -> Settlement:
    refunds = _deductible_refunds(connection, currency, processed - fees)
    row = connection.execute(
        "INSERT INTO settlements (domain, currency, processed, fees, deductions, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?) RETURNING *",
        (domain, currency, processed, fees, sum(refunds.values()), now()),
    ).fetchone()
    settlement = Settlement.from_row(row)
    connection.execute(
        "UPDATE transactions SET settlement = ? WHERE currency = ? AND paid_at IS NOT NULL AND settlement IS NULL",
        (settlement.id, currency),
    )
    connection.executemany(
        "UPDATE refunds SET settlement = ? WHERE id = ?", [(settlement.id, refund_id) for refund_id in refunds]
    )
    if settlement.id % 1_000 == 0:
        connection.execute("DELETE FROM settlements WHERE id <= ?", (settlement.id - ROWS_KEPT,))
    return settlement


def _deductible_refunds(connection: sqlite3.Connection, currency: str, available: int) -> dict[int, int]:
    """Return the refunds that the payout covers, oldest first, as id -> amount. The others wait for the next payout."""
    refunds: dict[int, int] = {}
    for refund_id, amount in connection.execute(
        "SELECT id, amount FROM refunds WHERE status = 'processed' AND settlement IS NULL AND currency = ? ORDER BY id",
        (currency,),
    ):
        if amount <= available:
            refunds[refund_id] = amount
            available -= amount
    return refunds


def find(connection: sqlite3.Connection, settlement_id: int) -> Settlement | None:
    row = connection.execute("SELECT * FROM settlements WHERE id = ?", (settlement_id,)).fetchone()
    return Settlement.from_row(row) if row else None


def list_page(
    connection: sqlite3.Connection, since: int | None, until: int | None, limit: int, skip: int
) -> tuple[list[Settlement], int]:
    """Return one page, newest first, and the number of all matching settlements."""
    matching = (
        " FROM settlements WHERE (:since IS NULL OR created_at >= :since) AND (:until IS NULL OR created_at <= :until)"
    )
    values = {"since": since, "until": until, "limit": limit, "skip": skip}
    (total,) = connection.execute("SELECT count(*)" + matching, values).fetchone()
    rows = connection.execute("SELECT *" + matching + " ORDER BY id DESC LIMIT :limit OFFSET :skip", values)
    return [Settlement.from_row(row) for row in rows], total
