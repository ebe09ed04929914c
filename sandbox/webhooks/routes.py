"""Paystack's own paths for looking webhooks up and having them sent again."""

import sqlite3
from typing import Any

from fastapi import APIRouter, Request
from starlette.datastructures import QueryParams
from starlette.responses import Response

from sandbox.door import queries
from sandbox.door.cursors import cursor_of, leaf
from sandbox.door.documents import PERIOD, body_of, query_of
from sandbox.door.guard import PaystackRoute
from sandbox.door.queries import NUMERIC_ID
from sandbox.errors import InvalidParams, NowhereToSend, Refusal
from sandbox.integration import Merchant
from sandbox.transactions.initialization import fields, storable
from sandbox.webhooks import archive
from sandbox.webhooks.archive import STATUSES, Filter
from sandbox.wire import succeeded

LIMIT = 50
RESENT = 100
"""Events that one call may name."""

router = APIRouter(prefix="/integration/webhooks/events", tags=["Paystack's API"], route_class=PaystackRoute)


class WebhookNotFound(Refusal):
    """Webhook not found"""

    status = 404
    code = "not_found"


def _filter(query: QueryParams) -> Filter:
    return Filter(
        category=query.get("category") or None,
        event=query.get("event_type") or None,
        status=queries.choice(query, "status", STATUSES),
        row_id=queries.number(query, "category_row_id"),
        since=queries.instant(query, "from"),
        until=queries.instant(query, "to"),
    )


FILTERED = ("category", "event_type", "status", "category_row_id", *PERIOD, "limit", "next", "previous")


@router.get("", name="events", openapi_extra=query_of(*FILTERED))
async def list_events(request: Request, merchant: Merchant) -> Response:
    """Events, newest first: category, event_type, status, category_row_id, from, to, limit (50 at most), next or previous."""
    query = request.query_params
    wanted = _filter(query)
    cursor = cursor_of(query, min(queries.number(query, "limit") or LIMIT, LIMIT))
    found = await merchant.store.run(lambda connection: archive.page(connection, wanted, cursor))
    kept, meta = leaf(cursor, found, lambda each: each.id)
    return succeeded(
        "Webhooks retrieved", [archive.summary(each, merchant.settings.domain) for each in kept], meta=meta
    )


@router.get("/lookup", name="events", openapi_extra=query_of("reference"))
async def lookup(request: Request, merchant: Merchant) -> Response:
    """reference: the _id of an event, or the numeric id of what it is about; a transaction reference finds nothing."""
    sent = request.query_params.get("reference", "")

    def job(connection: sqlite3.Connection) -> archive.Event | None:
        event = archive.find(connection, sent)
        if event is None and NUMERIC_ID.fullmatch(sent):
            event = archive.latest_about(connection, int(sent))
        return event

    event = await merchant.store.run(job)
    if event is None:
        raise WebhookNotFound
    return succeeded("Webhook retrieved", archive.summary(event, merchant.settings.domain))


@router.get("/{key}", name="events")
async def fetch(key: str, merchant: Merchant) -> Response:
    """One event with its payload and every trial to deliver it."""
    event = await merchant.store.run(lambda connection: archive.find(connection, key))
    if event is None:
        raise WebhookNotFound
    settings = merchant.settings
    return succeeded("Webhook retrieved", archive.detail(event, settings.domain, settings.webhook_url))


IDS = {
    "type": "object",
    "required": ["ids"],
    "properties": {"ids": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": RESENT}},
}
FILTERS = {
    "type": "object",
    "required": ["filters"],
    "properties": {"filters": {"type": "object", "description": "As in the list, without limit and cursors."}},
}


@router.post("/resend", name="resend", openapi_extra=body_of(IDS))
async def resend(request: Request, merchant: Merchant) -> Response:
    """Send events once more, every time that it is asked."""
    keys = _ids(fields(request.headers.get("content-type", ""), await request.body()).get("ids"))
    if merchant.settings.webhook_url is None:
        raise NowhereToSend

    def job(connection: sqlite3.Connection) -> int:
        events = [archive.find(connection, key) for key in keys]
        if None in events:
            raise WebhookNotFound
        for event in events:
            if event is not None:
                archive.resend(connection, event)
        return len(events)

    count = await merchant.store.run(job)
    merchant.wake()
    return succeeded("Webhooks queued", {"count": count})


@router.post("/resend-matching", name="resend", openapi_extra=body_of(FILTERS) | query_of("preview"))
async def resend_matching(request: Request, merchant: Merchant) -> Response:
    """Send every event that the filters match, the oldest 1,000 at most; with ?preview=true only count them."""
    wanted = _filters(fields(request.headers.get("content-type", ""), await request.body()).get("filters"))
    preview = request.query_params.get("preview", "").lower() == "true"
    if merchant.settings.webhook_url is None:
        raise NowhereToSend

    def job(connection: sqlite3.Connection) -> int:
        events = archive.matching(connection, wanted)
        for event in () if preview else events:
            archive.resend(connection, event)
        return len(events)

    count = await merchant.store.run(job)
    merchant.wake()
    return succeeded("Webhooks matched" if preview else "Webhooks queued", {"count": count})


def _ids(sent: Any) -> list[str]:
    if not isinstance(sent, list) or not 1 <= len(sent) <= RESENT or not all(isinstance(each, str) for each in sent):
        raise InvalidParams(f"ids must be a list of 1 to {RESENT} ids of webhooks")
    return sent


def _filters(sent: Any) -> Filter:
    if not isinstance(sent, dict) or not all(isinstance(each, (str, int)) for each in sent.values()):
        raise InvalidParams("filters must be an object of texts and numbers")
    if not all(storable(str(value)) for value in sent.values()):
        raise InvalidParams("filters cannot be read")
    return _filter(QueryParams({name: str(value) for name, value in sent.items()}))
