"""An event as Paystack's Webhook Events API tells it; read leniently. It knows an id for each, which its notices do not carry."""

import json
from dataclasses import dataclass
from typing import Any

from services.payments.charges import Unreadable, read_subunits, read_text

DELIVERED = "delivered"


@dataclass(frozen=True, slots=True)
class ToldEvent:
    """`row_id`: Paystack's number of the transaction, refund or dispute. `body`: the notice, where the answer carries it."""

    id: str
    event: str
    status: str
    row_id: int | None
    body: bytes | None

    @property
    def delivered(self) -> bool:
        """Whether somebody answered 200 to it."""
        return self.status == DELIVERED


@dataclass(frozen=True, slots=True)
class EventPage:
    """Newest first. `next` asks for the page after it; `unreadable` were listed without an id or a name."""

    events: list[ToldEvent]
    next: str | None
    unreadable: int = 0


def read_event(data: Any) -> ToldEvent:
    """Raises Unreadable without an id or a name."""
    if not isinstance(data, dict):
        raise Unreadable("an event that is no object")
    event_id, name = read_text(data.get("_id"), 100), read_text(data.get("event_name"), 200)
    if event_id is None or name is None:
        raise Unreadable("an event without _id or event_name")
    return ToldEvent(
        id=event_id,
        event=name,
        status=(read_text(data.get("status"), 50) or "").lower(),
        row_id=read_subunits(data.get("category_row_id"), most=2**63 - 1),
        body=_body(name, data.get("event_payload")),
    )


def read_page(answer: dict[str, Any]) -> EventPage:
    """Raises Unreadable on what is no list of events, or a list of which nothing can be read."""
    found, meta = answer.get("data"), answer.get("meta")
    if not isinstance(found, list):
        raise Unreadable("the answer has no list")
    following = read_text(meta.get("next"), 1000) if isinstance(meta, dict) else None
    events = []
    for each in found:
        try:
            events.append(read_event(each))
        except Unreadable:
            continue
    if found and not events:
        raise Unreadable("events without _id or event_name")
    return EventPage(events, following, len(found) - len(events))


def _body(name: str, payload: Any) -> bytes | None:
    """The notice's bytes: as they are where the payload is text, else written as JavaScript writes them, which is how they were sent."""
    if isinstance(payload, str):
        try:
            parsed = json.loads(payload)
        except (ValueError, RecursionError):
            return None
        if isinstance(parsed, dict) and "event" in parsed:
            return payload.encode("utf-8", "replace")
        payload = parsed
    if not isinstance(payload, dict | list):
        return None
    notice = payload if isinstance(payload, dict) and "event" in payload else {"event": name, "data": payload}
    return json.dumps(notice, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")
