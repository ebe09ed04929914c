"""The Webhook Events API: the webhook events that Paystack sent or tried to send. Each has an id, which its delivery does not carry."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from services.payments.paystack.errors import NoAnswer
from services.payments.paystack.parsing import Unreadable, format_time, parse_integer, parse_text
from services.payments.paystack.transport import Transport

DELIVERED = "delivered"


@dataclass(frozen=True, slots=True)
class PaystackWebhookEvent:
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
class WebhookEventPage:
    """Newest first. `next` asks for the page after it; `unreadable` were listed without an id or a name."""

    events: list[PaystackWebhookEvent]
    next: str | None
    unreadable: int = 0


def parse_webhook_event(data: Any) -> PaystackWebhookEvent:
    """Raises Unreadable without an id or a name."""
    if not isinstance(data, dict):
        raise Unreadable("an event that is no object")
    event_id, name = parse_text(data.get("_id"), 100), parse_text(data.get("event_name"), 200)
    if event_id is None or name is None:
        raise Unreadable("an event without _id or event_name")
    return PaystackWebhookEvent(
        id=event_id,
        event=name,
        status=(parse_text(data.get("status"), 50) or "").lower(),
        row_id=parse_integer(data.get("category_row_id"), most=2**63 - 1),
        body=_body(name, data.get("event_payload")),
    )


def parse_webhook_event_page(answer: dict[str, Any]) -> WebhookEventPage:
    """Raises Unreadable on what is no list of events, or a list of which nothing can be read."""
    found, meta = answer.get("data"), answer.get("meta")
    if not isinstance(found, list):
        raise Unreadable("the answer has no list")
    following = parse_text(meta.get("next"), 1000) if isinstance(meta, dict) else None
    events = []
    for each in found:
        try:
            events.append(parse_webhook_event(each))
        except Unreadable:
            continue
    if found and not events:
        raise Unreadable("events without _id or event_name")
    return WebhookEventPage(events, following, len(found) - len(events))


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


class WebhookEvents:
    """/integration/webhooks/events"""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def page(self, since: datetime, until: datetime, following: str | None) -> WebhookEventPage:
        """GET /integration/webhooks/events, fifty a page, newest first; `following` is the `next` of the page before."""
        query = {"from": format_time(since), "to": format_time(until), "limit": "50"}
        if following is not None:
            query["next"] = following
        path = f"/integration/webhooks/events?{urlencode(query)}"
        try:
            return parse_webhook_event_page(await self._transport.answer("events", "GET", path))
        except Unreadable as error:
            raise NoAnswer(str(error)) from error

    async def fetch(self, listed: PaystackWebhookEvent) -> PaystackWebhookEvent:
        """GET /integration/webhooks/events/:id of one that was listed, with the notice as it was sent."""
        data = await self._transport.call("event", "GET", f"/integration/webhooks/events/{quote(listed.id, safe='')}")
        try:
            return parse_webhook_event({"_id": listed.id, "event_name": listed.event, **data})
        except Unreadable as error:
            raise NoAnswer(str(error)) from error
