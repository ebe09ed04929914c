"""The `log` of a transaction: what the payer did on the checkout page."""

import json
from typing import Any

from sandbox.enums import TimelineKind
from sandbox.transactions.models import Transaction

ENTRIES_KEPT = 60
"""Entries per transaction; the oldest are dropped."""


def append_entries(transaction: Transaction, at: int, *entries: tuple[TimelineKind, str]) -> str:
    """Return the stored timeline with new entries. `at`: milliseconds since 1970."""
    seconds = max(0, at - transaction.created_at) // 1_000
    added = [(kind, message, seconds) for kind, message in entries]
    return json.dumps([*_entries(transaction), *added][-ENTRIES_KEPT:])


def timeline_body(transaction: Transaction) -> dict[str, Any]:
    entries = _entries(transaction)
    kinds = [kind for kind, _, _ in entries]
    return {
        "start_time": transaction.created_at // 1_000,
        "time_spent": entries[-1][2] if entries else 0,
        "attempts": kinds.count(TimelineKind.ACTION),
        "errors": kinds.count(TimelineKind.ERROR),
        "success": TimelineKind.SUCCESS in kinds,
        "mobile": False,
        "input": [],
        "history": [{"type": kind, "message": message, "time": seconds} for kind, message, seconds in entries],
    }


def log_body(transaction: Transaction) -> dict[str, Any] | None:
    """Return the timeline, or None before the first attempt to pay."""
    return timeline_body(transaction) if transaction.timeline else None


def _entries(transaction: Transaction) -> list[tuple[TimelineKind, str, int]]:
    stored = json.loads(transaction.timeline) if transaction.timeline else []
    return [(TimelineKind(kind), message, seconds) for kind, message, seconds in stored]
