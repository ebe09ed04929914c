"""Webhooks waiting to be delivered, and what became of the others. Every function is a job for the store's thread."""

import hashlib
import hmac
import json
import sqlite3
from dataclasses import dataclass
from typing import Any, Literal

from sandbox.store import now
from sandbox.transactions.bodies import instant

State = Literal["pending", "delivered", "given_up", "lost"]
STATES: tuple[State, ...] = ("pending", "delivered", "given_up", "lost")
CATEGORIES = {"charge.dispute.": "dispute", "charge.": "transactions", "refund.": "refund"}
"""What an event is about, by how its name begins."""

KEPT = 50_000
"""Webhooks that are done with are forgotten beyond this number, those still waiting beyond four times as many."""
QUICK_TRIES, SLOW_TRIES = 4, 72
QUICK_WAIT, SLOW_WAIT = 1.0, 5.0
"""Seconds that stand for Paystack's 3 minutes (live, the first four tries) and for its hour (72 of them)."""
LEASE = 15_000
"""Milliseconds after which a webhook that somebody began to send, and never said how it went, is due again."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A webhook as it will leave."""

    event: str
    reference: str | None
    row: int | None
    """The numeric id of what it is about."""
    body: bytes
    signature: str | None


@dataclass(frozen=True, slots=True)
class Delivery:
    id: int
    body: bytes
    signature: str | None
    tries: int


def signature(key: bytes, body: bytes) -> str:
    """x-paystack-signature: HMAC-SHA512 of the raw body under the API secret key, in lowercase hex."""
    return hmac.new(key, body, hashlib.sha512).hexdigest()


def wait_after(tries: int) -> float | None:
    """Seconds until the next try; None after the last."""
    if tries < QUICK_TRIES:
        return QUICK_WAIT
    return SLOW_WAIT if tries < QUICK_TRIES + SLOW_TRIES else None


def enqueue(
    connection: sqlite3.Connection, letter: Letter, deliveries: int = 1, delay_ms: int = 0, copy: int = 0
) -> list[int]:
    """Put `deliveries` copies in the queue, each retried for itself; none: it is kept as lost. Answers their ids.

    Counted from `copy`: the merchant looks up the one that is 0.
    """
    at = now()
    category = next((each for start, each in CATEGORIES.items() if letter.event.startswith(start)), "other")
    state: State = "pending" if deliveries else "lost"
    added = []
    for number in range(copy, copy + max(deliveries, 1)):
        row = connection.execute(
            "INSERT INTO webhooks (event, reference, body, signature, created_at, next_at, state, category, row_id, copy)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
            (
                letter.event,
                letter.reference,
                letter.body,
                letter.signature,
                at,
                at + delay_ms,
                state,
                category,
                letter.row,
                number,
            ),
        ).fetchone()
        added.append(int(row[0]))
        if added[-1] % 1_000 == 0:
            connection.execute("DELETE FROM webhooks WHERE id <= ? AND state <> 'pending'", (added[-1] - KEPT,))
            connection.execute("DELETE FROM webhooks WHERE id <= ?", (added[-1] - 4 * KEPT,))
    return added


def claim(connection: sqlite3.Connection, limit: int) -> tuple[list[Delivery], float]:
    """Take up to `limit` that are due. Also answers in how many seconds the next one is due, a minute at most."""
    at = now()
    rows = connection.execute(
        "UPDATE webhooks SET sending = 1, next_at = ? WHERE id IN (SELECT id FROM webhooks WHERE state = 'pending'"
        " AND next_at <= ? ORDER BY next_at LIMIT ?) RETURNING id, body, signature, tries",
        (at + LEASE, at, limit),
    ).fetchall()
    (next_at,) = connection.execute("SELECT min(next_at) FROM webhooks WHERE state = 'pending'").fetchone()
    wait = 60.0 if next_at is None else min(max(next_at - at, 0) / 1000, 60.0)
    return [Delivery(*row) for row in rows], wait


def record(connection: sqlite3.Connection, delivery: Delivery, attempt: dict[str, Any], time_scale: float) -> State:
    """Write down how a try went: 200 is delivered, anything else is tried again until the schedule ends."""
    tries = delivery.tries + 1
    wait = wait_after(tries)
    state: State = "delivered" if attempt["status"] == 200 else "given_up" if wait is None else "pending"
    connection.execute(
        "UPDATE webhooks SET sending = 0, state = ?, tries = ?, next_at = ?, attempts = attempts || ? WHERE id = ?",
        (
            state,
            tries,
            now() + int((wait or 0) * 1000 * time_scale),
            json.dumps(attempt) + "\n",
            delivery.id,
        ),
    )
    return state


def resume(connection: sqlite3.Connection) -> int:
    """After a start: whatever was being sent when the last process ended is due at once. Answers all that waits."""
    connection.execute("UPDATE webhooks SET sending = 0, next_at = ? WHERE state = 'pending' AND sending = 1", (now(),))
    (waiting,) = connection.execute("SELECT count(*) FROM webhooks WHERE state = 'pending'").fetchone()
    return int(waiting)


def counts(connection: sqlite3.Connection) -> dict[str, int]:
    found = dict(connection.execute("SELECT state, count(*) FROM webhooks GROUP BY state").fetchall())
    return {state: found.get(state, 0) for state in STATES}


def of(connection: sqlite3.Connection, reference: str, limit: int = 200) -> list[dict[str, Any]]:
    rows = connection.execute(SHOWN + " WHERE reference = ? ORDER BY id DESC LIMIT ?", (reference, limit))
    return [_shown(row) for row in rows]


def latest(connection: sqlite3.Connection, state: State | None, limit: int = 50) -> list[dict[str, Any]]:
    rows = connection.execute(
        SHOWN + " WHERE (:state IS NULL OR state = :state) ORDER BY id DESC LIMIT :limit",
        {"state": state, "limit": limit},
    )
    return [_shown(row) for row in rows]


SHOWN = "SELECT id, event, reference, state, tries, attempts, created_at, next_at FROM webhooks"


def _shown(row: Any) -> dict[str, Any]:
    number, event, reference, state, tries, attempts, created_at, next_at = row
    return {
        "id": number,
        "event": event,
        "reference": reference,
        "state": state,
        "tries": tries,
        "created_at": instant(created_at),
        "next_at": instant(next_at) if state == "pending" else None,
        "attempts": [json.loads(line) for line in attempts.splitlines()],
    }
