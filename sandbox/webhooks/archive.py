"""Events as the merchant can look them up: one each, however often it was sent. Jobs for the store's thread."""

import json
import re
import sqlite3
from dataclasses import dataclass
from typing import Any, Literal

from sandbox.door.cursors import Cursor
from sandbox.store import now
from sandbox.transactions.bodies import instant
from sandbox.webhooks.queue import State

Status = Literal["Delivered", "Pending", "Failed"]
STATUSES: tuple[Status, ...] = ("Delivered", "Pending", "Failed")
STATUS: dict[State, Status] = {
    "pending": "Pending",
    "delivered": "Delivered",
    "given_up": "Failed",
    "lost": "Failed",
}
KEY = re.compile(r"[0-9a-f]{24}")
TRIALS = 200
"""Of an event that is sent again, the latest are kept."""
AT_ONCE = 1_000
"""Events that match and are sent again in one call; the oldest first."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which events; None is any. Times in milliseconds since 1970, both included."""

    category: str | None = None
    event: str | None = None
    status: str | None = None
    row_id: int | None = None
    since: int | None = None
    until: int | None = None

    @property
    def values(self) -> dict[str, Any]:
        return {each: getattr(self, each) for each in Filter.__slots__}


@dataclass(frozen=True, slots=True)
class Event:
    """A row. Times in milliseconds since 1970."""

    id: int
    event: str
    category: str
    row_id: int | None
    reference: str | None
    body: bytes
    signature: str | None
    state: State
    attempts: str
    created_at: int

    @property
    def key(self) -> str:
        """Paystack's _id: the second, then the row; never that of a forgotten database."""
        return f"{self.created_at // 1_000:08x}{self.id:016x}"

    @property
    def trials(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.attempts.splitlines()]


SELECT = (
    "SELECT id, event, category, row_id, reference, body, signature, state, attempts, created_at FROM webhooks"
    " WHERE copy = 0"
)
MATCHING = (
    " AND (:category IS NULL OR category = :category) AND (:event IS NULL OR event = :event)"
    " AND (:status IS NULL OR CASE state WHEN 'pending' THEN 'Pending' WHEN 'delivered' THEN 'Delivered'"
    " ELSE 'Failed' END = :status) AND (:row_id IS NULL OR row_id = :row_id)"
    " AND (:since IS NULL OR created_at >= :since) AND (:until IS NULL OR created_at <= :until)"
)


def page(connection: sqlite3.Connection, wanted: Filter, cursor: Cursor) -> list[Event]:
    rows = connection.execute(SELECT + MATCHING + cursor.ending, wanted.values | cursor.values)
    return [Event(*row) for row in rows]


def matching(connection: sqlite3.Connection, wanted: Filter) -> list[Event]:
    rows = connection.execute(SELECT + MATCHING + f" ORDER BY id LIMIT {AT_ONCE}", wanted.values)
    return [Event(*row) for row in rows]


def find(connection: sqlite3.Connection, key: str) -> Event | None:
    """By its _id."""
    if not KEY.fullmatch(key):
        return None
    row = connection.execute(SELECT + " AND id = ?", (min(int(key[8:], 16), 2**63 - 1),)).fetchone()
    event = Event(*row) if row else None
    return event if event and event.key == key else None


def latest_about(connection: sqlite3.Connection, number: int) -> Event | None:
    """By the numeric id of a transaction, refund or dispute."""
    row = connection.execute(SELECT + " AND row_id = ? ORDER BY id DESC LIMIT 1", (number,)).fetchone()
    return Event(*row) if row else None


def resend(connection: sqlite3.Connection, event: Event) -> None:
    """Once more, with the same bytes; while it is still on its way, a copy besides."""
    if event.state != "pending":
        connection.execute(
            "UPDATE webhooks SET state = 'pending', tries = 0, next_at = ?, attempts = ? WHERE id = ?",
            (now(), "".join(event.attempts.splitlines(keepends=True)[-TRIALS:]), event.id),
        )
        return
    connection.execute(
        "INSERT INTO webhooks (event, category, row_id, reference, body, signature, created_at, next_at, copy)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1)",
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


def summary(event: Event, domain: str) -> dict[str, Any]:
    trials = event.trials
    last = trials[-1] if trials else {}
    return {
        "_id": event.key,
        "domain": domain,
        "category": event.category,
        "event_name": event.event,
        "category_row_id": event.row_id,
        "status": STATUS[event.state],
        "status_detail": _said(last),
        "response_code": last.get("status"),
        "trial_count": len(trials),
        "created_at": instant(event.created_at),
        "updated_at": last.get("at", instant(event.created_at)),
    }


def _said(trial: dict[str, Any]) -> str:
    """Always a text, so pypaystack2, which was tried on the test API; what it says there is not known."""
    if not trial:
        return "Not sent"
    return trial["error"] or f"The receiver answered {trial['status']}"


def detail(event: Event, domain: str, url: str | None) -> dict[str, Any]:
    trials = event.trials
    return summary(event, domain) | {
        "event_payload": json.loads(event.body),
        "webhook_url": url,
        "merchant_response_body": trials[-1].get("answer") if trials else None,
        "trials": [
            {
                "created_at": each["at"],
                "response_code": each["status"],
                "status_detail": each["error"],
                "merchant_response_body": each.get("answer"),
            }
            for each in trials
        ],
    }
