"""Webhook events as Paystack's Webhook Events API shows them: one entry per event, even if it was sent several times.

All functions that take a connection run in the store's thread.
"""

import json
import re
import sqlite3
from dataclasses import dataclass
from typing import Any, Self

from sandbox.api.cursors import Cursor
from sandbox.enums import Domain, WebhookEventStatus, WebhookState
from sandbox.timestamps import iso_timestamp, now

STATUS: dict[WebhookState, WebhookEventStatus] = {
    WebhookState.PENDING: WebhookEventStatus.PENDING,
    WebhookState.DELIVERED: WebhookEventStatus.DELIVERED,
    WebhookState.GIVEN_UP: WebhookEventStatus.FAILED,
    WebhookState.LOST: WebhookEventStatus.FAILED,
}
PUBLIC_ID = re.compile(r"[0-9a-f]{24}")
ATTEMPTS_KEPT = 200
"""Number of latest attempts that stay recorded when an event is resent."""
RESEND_LIMIT = 1_000
"""Number of matching events that one call resends, at most. The oldest are resent first."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which events to list; None matches all. `since` and `until` are inclusive, in milliseconds since 1970."""

    category: str | None = None
    event: str | None = None
    status: WebhookEventStatus | None = None
    row_id: int | None = None
    since: int | None = None
    until: int | None = None

    @property
    def sql_values(self) -> dict[str, str | int | None]:
        return {name: getattr(self, name) for name in Filter.__slots__}


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """A row of the webhooks table that is not a further copy (`copy` is 0). Times in milliseconds since 1970."""

    id: int
    event: str
    category: str
    row_id: int | None
    reference: str | None
    body: bytes
    signature: str | None
    state: WebhookState
    attempt_log: str
    """JSON, one attempt per line."""
    created_at: int

    @classmethod
    def from_row(cls, row: Any) -> Self:
        values = dict(zip(cls.__slots__, row, strict=True))
        return cls(**values | {"state": WebhookState(values["state"])})

    @property
    def public_id(self) -> str:
        """Paystack's _id: creation time in seconds and row id, in hex. The time makes it differ from ids of a deleted database."""
        return f"{self.created_at // 1_000:08x}{self.id:016x}"

    @property
    def attempts(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.attempt_log.splitlines()]


SELECT = (
    "SELECT id, event, category, row_id, reference, body, signature, state, attempt_log, created_at FROM webhooks"
    " WHERE copy = 0"
)
MATCHING = (
    " AND (:category IS NULL OR category = :category) AND (:event IS NULL OR event = :event)"
    " AND (:status IS NULL OR CASE state WHEN 'pending' THEN 'Pending' WHEN 'delivered' THEN 'Delivered'"
    " ELSE 'Failed' END = :status) AND (:row_id IS NULL OR row_id = :row_id)"
    " AND (:since IS NULL OR created_at >= :since) AND (:until IS NULL OR created_at <= :until)"
)


def list_page(connection: sqlite3.Connection, wanted: Filter, cursor: Cursor) -> list[StoredEvent]:
    """Return one page, with the extra row that `cursor_page` needs."""
    rows = connection.execute(SELECT + MATCHING + cursor.sql_suffix, wanted.sql_values | cursor.sql_values)
    return [StoredEvent.from_row(row) for row in rows]


def list_oldest(connection: sqlite3.Connection, wanted: Filter) -> list[StoredEvent]:
    """Return the oldest matching events, as many as one call may resend."""
    rows = connection.execute(SELECT + MATCHING + f" ORDER BY id LIMIT {RESEND_LIMIT}", wanted.sql_values)
    return [StoredEvent.from_row(row) for row in rows]


def find(connection: sqlite3.Connection, public_id: str) -> StoredEvent | None:
    """Find an event by its _id."""
    if not PUBLIC_ID.fullmatch(public_id):
        return None
    row = connection.execute(SELECT + " AND id = ?", (min(int(public_id[8:], 16), 2**63 - 1),)).fetchone()
    event = StoredEvent.from_row(row) if row else None
    return event if event and event.public_id == public_id else None


def find_latest_by_row_id(connection: sqlite3.Connection, row_id: int) -> StoredEvent | None:
    """Find the latest event about a transaction, refund or dispute, by its numeric id."""
    row = connection.execute(SELECT + " AND row_id = ? ORDER BY id DESC LIMIT 1", (row_id,)).fetchone()
    return StoredEvent.from_row(row) if row else None


def resend(connection: sqlite3.Connection, event: StoredEvent) -> None:
    """Queue the webhook of an event again with the same body. If it is still pending, a copy is added to the queue."""
    if event.state != WebhookState.PENDING:
        kept = "".join(event.attempt_log.splitlines(keepends=True)[-ATTEMPTS_KEPT:])
        connection.execute(
            "UPDATE webhooks SET state = 'pending', attempts = 0, next_attempt_at = ?, attempt_log = ? WHERE id = ?",
            (now(), kept, event.id),
        )
        return
    connection.execute(
        "INSERT INTO webhooks (event, category, row_id, reference, body, signature, state, copy, created_at,"
        " next_attempt_at) VALUES (?, ?, ?, ?, ?, ?, 'pending', 1, ?, ?)",
        (
            event.event,
            event.category,
            event.row_id,
            event.reference,
            event.body,
            event.signature,
            now(),
            now(),
        ),
    )


def summary_body(event: StoredEvent, domain: Domain) -> dict[str, Any]:
    attempts = event.attempts
    last = attempts[-1] if attempts else {}
    return {
        "_id": event.public_id,
        "domain": domain,
        "category": event.category,
        "event_name": event.event,
        "category_row_id": event.row_id,
        "status": STATUS[event.state],
        "status_detail": _status_detail(last),
        "response_code": last.get("status"),
        "trial_count": len(attempts),
        "created_at": iso_timestamp(event.created_at),
        "updated_at": last.get("at", iso_timestamp(event.created_at)),
    }


def _status_detail(attempt: dict[str, Any]) -> str:
    """Describe an attempt. Never None, because pypaystack2 requires a string here. The texts of Paystack are not known."""
    if not attempt:
        return "Not sent"
    return attempt["error"] or f"The receiver responded with status {attempt['status']}"


def detail_body(event: StoredEvent, domain: Domain, url: str | None) -> dict[str, Any]:
    attempts = event.attempts
    return summary_body(event, domain) | {
        "event_payload": json.loads(event.body),
        "webhook_url": url,
        "merchant_response_body": attempts[-1].get("response_body") if attempts else None,
        "trials": [
            {
                "created_at": attempt["at"],
                "response_code": attempt["status"],
                "status_detail": attempt["error"],
                "merchant_response_body": attempt.get("response_body"),
            }
            for attempt in attempts
        ],
    }
