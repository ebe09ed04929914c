"""The Webhook Events API lists the webhook events that Paystack sent or tried to send.

In this list, each event has an id. The webhook itself does not contain that id.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from services.payments.paystack.errors import NoAnswer
from services.payments.paystack.parsing import MAX_ID, Unreadable, format_time, parse_integer, parse_text
from services.payments.paystack.transport import Transport

DELIVERED = "delivered"


@dataclass(frozen=True, slots=True)
class PaystackWebhookEvent:
    """A webhook event in Paystack's list. `object_id`: the id of its transaction, refund or dispute. `body`: the sent body, if known."""

    id: str
    type_name: str
    status: str
    object_id: int | None
    body: bytes | None

    @property
    def delivered(self) -> bool:
        """Return True if our endpoint responded with 200."""
        return self.status == DELIVERED


@dataclass(frozen=True, slots=True)
class WebhookEventPage:
    """A page of webhook events, newest first. `next` is the cursor of the following page; `unreadable` counts events without id or name."""

    events: list[PaystackWebhookEvent]
    next: str | None
    unreadable: int = 0


def parse_webhook_event(data: object) -> PaystackWebhookEvent:
    """Parse a webhook event. Raises Unreadable without an id or a name."""
    if not isinstance(data, dict):
        raise Unreadable("the event is not an object")
    event_id, name = parse_text(data.get("_id"), 100), parse_text(data.get("event_name"), 200)
    if event_id is None or name is None:
        raise Unreadable("an event without _id or event_name")
    return PaystackWebhookEvent(
        id=event_id,
        type_name=name,
        status=(parse_text(data.get("status"), 50) or "").lower(),
        object_id=parse_integer(data.get("category_row_id"), maximum=MAX_ID),
        body=_body(name, data.get("event_payload")),
    )


def parse_webhook_event_page(response: dict[str, Any]) -> WebhookEventPage:
    """Parse a page. Raises Unreadable if there is no list, or if the list has events and none of them can be parsed."""
    found, meta = response.get("data"), response.get("meta")
    if not isinstance(found, list):
        raise Unreadable("the response has no list")
    cursor = parse_text(meta.get("next"), 1000) if isinstance(meta, dict) else None
    events = []
    for each in found:
        try:
            events.append(parse_webhook_event(each))
        except Unreadable:
            continue
    if found and not events:
        raise Unreadable("events without _id or event_name")
    return WebhookEventPage(events, cursor, len(found) - len(events))


def _body(name: str, payload: object) -> bytes | None:
    """Return the body as Paystack sent it, or None if the payload is not usable.

    A text payload is returned unchanged. An object is serialised as JSON.stringify does, because Paystack serialises webhooks that way. A
    payload without `event` is the `data` of the event, so the rest of the body is added.
    """
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
    event = payload if isinstance(payload, dict) and "event" in payload else {"event": name, "data": payload}
    return json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")


class WebhookEvents:
    """The calls under /integration/webhooks/events."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def page(self, since: datetime, until: datetime, cursor: str | None) -> WebhookEventPage:
        """GET /integration/webhooks/events: newest first, 50 per page; `cursor` is `next` of the previous page."""
        query = {"from": format_time(since), "to": format_time(until), "limit": "50"}
        if cursor is not None:
            query["next"] = cursor
        path = f"/integration/webhooks/events?{urlencode(query)}"
        try:
            return parse_webhook_event_page(await self._transport.request("events", "GET", path))
        except Unreadable as error:
            raise NoAnswer(str(error)) from error

    async def fetch(self, listed: PaystackWebhookEvent) -> PaystackWebhookEvent:
        """GET /integration/webhooks/events/:id: a listed event with its body."""
        data = await self._transport.call("event", "GET", f"/integration/webhooks/events/{quote(listed.id, safe='')}")
        try:
            return parse_webhook_event({"_id": listed.id, "event_name": listed.type_name, **data})
        except Unreadable as error:
            raise NoAnswer(str(error)) from error
