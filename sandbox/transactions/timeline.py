"""What a payer did on the way to a payment: Paystack's `log`."""

import json
from typing import Any, Literal

from sandbox.transactions.ledger import Transaction

LONGEST = 60
"""Entries of one transaction; after that the oldest are forgotten."""
Kind = Literal["action", "error", "success"]


def noted(transaction: Transaction, at: int, *entries: tuple[Kind, str]) -> str:
    """The log with entries of a moment, in milliseconds since 1970."""
    log = _entries(transaction)
    second = max(0, at - transaction.created_at) // 1_000
    return json.dumps([*log, *((kind, words, second) for kind, words in entries)][-LONGEST:])


def timeline(transaction: Transaction) -> dict[str, Any]:
    entries = _entries(transaction)
    kinds = [kind for kind, _, _ in entries]
    return {
        "start_time": transaction.created_at // 1_000,
        "time_spent": entries[-1][2] if entries else 0,
        "attempts": kinds.count("action"),
        "errors": kinds.count("error"),
        "success": "success" in kinds,
        "mobile": False,
        "input": [],
        "history": [{"type": kind, "message": words, "time": second} for kind, words, second in entries],
    }


def log(transaction: Transaction) -> dict[str, Any] | None:
    """None until a payer tries."""
    return timeline(transaction) if transaction.log else None


def _entries(transaction: Transaction) -> list[tuple[Kind, str, int]]:
    found: list[tuple[Kind, str, int]] = json.loads(transaction.log) if transaction.log else []
    return found
