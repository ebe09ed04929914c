"""Queue of webhooks with their delivery attempts. All functions that take a connection run in the store's thread."""

import hashlib
import hmac
import json
import sqlite3
from dataclasses import dataclass
from typing import Any

from sandbox.enums import WebhookState
from sandbox.timestamps import iso_timestamp, now

CATEGORIES = {"charge.dispute.": "dispute", "charge.": "transactions", "refund.": "refund"}
"""Category of an event by the start of its name, most specific first."""

ROWS_KEPT = 50_000
"""Number of latest webhooks that are kept. Older ones are deleted; pending ones are kept up to four times this number."""
QUICK_ATTEMPTS, SLOW_ATTEMPTS = 4, 72
QUICK_WAIT, SLOW_WAIT = 1.0, 5.0
"""Seconds in place of Paystack's waits in live mode: 3 minutes between the first four attempts, then an hour before each of 72 more."""
LEASE = 15_000
"""Milliseconds after which a webhook is due again if its delivery was started but no result was recorded."""
MAX_WAIT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class OutgoingWebhook:
    event: str
    reference: str | None
    row_id: int | None
    """Numeric id of the transaction, refund or dispute."""
    body: bytes
    signature: str | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A webhook that is to be sent now."""

    id: int
    event: str
    reference: str | None
    body: bytes
    signature: str | None
    attempts: int
    """Number of earlier attempts."""


@dataclass(frozen=True, slots=True)
class DeliveryAttempt:
    """Result of one attempt to deliver a webhook."""

    at: int
    """Milliseconds since 1970."""
    status: int | None
    error: str | None
    response_body: str
    milliseconds: int

    def to_json(self) -> str:
        return json.dumps(
            {
                "at": iso_timestamp(self.at),
                "status": self.status,
                "error": self.error,
                "response_body": self.response_body,
                "milliseconds": self.milliseconds,
            }
        )


def sign(key: bytes, body: bytes) -> str:
    """Return x-paystack-signature: HMAC-SHA512 of the raw body under the secret key, in lowercase hex."""
    return hmac.new(key, body, hashlib.sha512).hexdigest()


def wait_after(attempts: int) -> float | None:
    """Return the seconds until the next attempt, or None after the last."""
    if attempts < QUICK_ATTEMPTS:
        return QUICK_WAIT
    return SLOW_WAIT if attempts < QUICK_ATTEMPTS + SLOW_ATTEMPTS else None


def enqueue(
    connection: sqlite3.Connection,
    webhook: OutgoingWebhook,
    deliveries: int = 1,
    delay_ms: int = 0,
    first_copy: int = 0,
) -> list[int]:
    """Add `deliveries` copies of a webhook, each with its own attempts. 0: record the webhook as lost. Returns the row ids.

    Copies are numbered from `first_copy`. The Webhook Events API shows copy 0.
    """
    at = now()
    category = next((each for start, each in CATEGORIES.items() if webhook.event.startswith(start)), "other")
    state = WebhookState.PENDING if deliveries else WebhookState.LOST
    ids = []
    for copy in range(first_copy, first_copy + max(deliveries, 1)):
        row = connection.execute(
            "INSERT INTO webhooks (event, category, row_id, reference, body, signature, state, copy, created_at,"
            " next_attempt_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
            (
                webhook.event,
                category,
                webhook.row_id,
                webhook.reference,
                webhook.body,
                webhook.signature,
                state,
                copy,
                at,
                at + delay_ms,
            ),
        ).fetchone()
        ids.append(int(row[0]))
        if ids[-1] % 1_000 == 0:
            connection.execute("DELETE FROM webhooks WHERE id <= ? AND state <> 'pending'", (ids[-1] - ROWS_KEPT,))
            connection.execute("DELETE FROM webhooks WHERE id <= ?", (ids[-1] - 4 * ROWS_KEPT,))
    return ids


def take_due(connection: sqlite3.Connection, limit: int) -> tuple[list[Delivery], float]:
    """Lease up to `limit` due webhooks. Returns them and the seconds until the next webhook is due, 60 at most."""
    at = now()
    rows = connection.execute(
        "UPDATE webhooks SET sending = 1, next_attempt_at = ? WHERE id IN (SELECT id FROM webhooks"
        " WHERE state = 'pending' AND next_attempt_at <= ? ORDER BY next_attempt_at LIMIT ?)"
        " RETURNING id, event, reference, body, signature, attempts",
        (at + LEASE, at, limit),
    ).fetchall()
    (next_at,) = connection.execute("SELECT min(next_attempt_at) FROM webhooks WHERE state = 'pending'").fetchone()
    wait = MAX_WAIT_SECONDS if next_at is None else min(max(next_at - at, 0) / 1000, MAX_WAIT_SECONDS)
    return [Delivery(*row) for row in rows], wait


def record_attempt(
    connection: sqlite3.Connection, delivery: Delivery, attempt: DeliveryAttempt, time_scale: float
) -> WebhookState:
    """Record an attempt. Status 200 means delivered; otherwise schedule the next attempt, or give up after the last one."""
    attempts = delivery.attempts + 1
    wait = wait_after(attempts)
    failed = WebhookState.GIVEN_UP if wait is None else WebhookState.PENDING
    state = WebhookState.DELIVERED if attempt.status == 200 else failed
    connection.execute(
        "UPDATE webhooks SET sending = 0, state = ?, attempts = ?, next_attempt_at = ?, attempt_log = attempt_log || ?"
        " WHERE id = ?",
        (state, attempts, now() + int((wait or 0) * 1000 * time_scale), attempt.to_json() + "\n", delivery.id),
    )
    return state


def release_leases(connection: sqlite3.Connection) -> int:
    """Make the webhooks due that the previous process was sending when it stopped. Returns the number of pending webhooks."""
    connection.execute(
        "UPDATE webhooks SET sending = 0, next_attempt_at = ? WHERE state = 'pending' AND sending = 1", (now(),)
    )
    (pending,) = connection.execute("SELECT count(*) FROM webhooks WHERE state = 'pending'").fetchone()
    return int(pending)


def count_by_state(connection: sqlite3.Connection) -> dict[str, int]:
    counts = dict(connection.execute("SELECT state, count(*) FROM webhooks GROUP BY state").fetchall())
    return {state: counts.get(state, 0) for state in WebhookState}


SELECT = "SELECT id, event, reference, state, attempts, attempt_log, created_at, next_attempt_at FROM webhooks"


def list_by_reference(connection: sqlite3.Connection, reference: str, limit: int = 200) -> list[dict[str, Any]]:
    """Return the latest webhooks of a transaction, as the control routes show them."""
    rows = connection.execute(SELECT + " WHERE reference = ? ORDER BY id DESC LIMIT ?", (reference, limit))
    return [_webhook_body(row) for row in rows]


def list_latest(connection: sqlite3.Connection, state: WebhookState | None, limit: int = 50) -> list[dict[str, Any]]:
    """Return the latest webhooks of one state or of all, as the control routes show them."""
    rows = connection.execute(
        SELECT + " WHERE (:state IS NULL OR state = :state) ORDER BY id DESC LIMIT :limit",
        {"state": state, "limit": limit},
    )
    return [_webhook_body(row) for row in rows]


def _webhook_body(row: Any) -> dict[str, Any]:
    webhook_id, event, reference, state, attempts, attempt_log, created_at, next_attempt_at = row
    return {
        "id": webhook_id,
        "event": event,
        "reference": reference,
        "state": state,
        "attempt_count": attempts,
        "created_at": iso_timestamp(created_at),
        "next_attempt_at": iso_timestamp(next_attempt_at) if state == WebhookState.PENDING else None,
        "attempts": [json.loads(line) for line in attempt_log.splitlines()],
    }
