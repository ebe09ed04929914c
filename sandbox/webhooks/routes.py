"""Paystack's Webhook Events API: list, look up and resend webhooks."""

import sqlite3
from typing import Any

from fastapi import APIRouter, Request
from starlette.datastructures import QueryParams
from starlette.responses import Response

from sandbox.api import query_string
from sandbox.api.cursors import cursor_page, parse_cursor
from sandbox.api.fields import is_utf8, parse_fields
from sandbox.api.openapi import PERIOD, body_of, query_of
from sandbox.api.query_string import NUMERIC_ID
from sandbox.enums import WebhookEventStatus
from sandbox.errors import ApiError, InvalidParams, NoWebhookUrl
from sandbox.paystack_route import PaystackRoute
from sandbox.responses import success
from sandbox.state import CurrentState
from sandbox.webhooks import events
from sandbox.webhooks.events import Filter

PAGE_LIMIT = 50
RESEND_IDS = 100
"""Number of ids in one call, at most."""

router = APIRouter(prefix="/integration/webhooks/events", tags=["Paystack's API"], route_class=PaystackRoute)


class WebhookNotFound(ApiError):
    """Webhook not found"""

    status = 404
    code = "not_found"


def _parse_filter(query: QueryParams) -> Filter:
    return Filter(
        category=query.get("category") or None,
        event=query.get("event_type") or None,
        status=query_string.parse_choice(query, "status", WebhookEventStatus),
        row_id=query_string.parse_integer(query, "category_row_id"),
        since=query_string.parse_time(query, "from"),
        until=query_string.parse_time(query, "to"),
    )


LIST_PARAMETERS = ("category", "event_type", "status", "category_row_id", *PERIOD, "limit", "next", "previous")


@router.get("", name="events", summary="List webhook events", openapi_extra=query_of(*LIST_PARAMETERS))
async def list_events(request: Request, state: CurrentState) -> Response:
    """List webhook events, newest first. Pages have at most 50 events; `meta.next` and `meta.previous` are cursors."""
    query = request.query_params
    wanted = _parse_filter(query)
    cursor = parse_cursor(query, min(query_string.parse_integer(query, "limit") or PAGE_LIMIT, PAGE_LIMIT))
    rows = await state.store.run(lambda connection: events.list_page(connection, wanted, cursor))
    page, meta = cursor_page(cursor, rows, lambda event: event.id)
    data = [events.summary_body(event, state.settings.domain) for event in page]
    return success("Webhooks retrieved", data, meta=meta)


@router.get("/lookup", name="events", summary="Look up a webhook event", openapi_extra=query_of("reference"))
async def look_up_event(request: Request, state: CurrentState) -> Response:
    """Find one event. `reference` is its _id, or the numeric id of a transaction, refund or dispute.

    The reference of a transaction finds nothing: 404.
    """
    reference = request.query_params.get("reference", "")

    def job(connection: sqlite3.Connection) -> events.StoredEvent | None:
        event = events.find(connection, reference)
        if event is None and NUMERIC_ID.fullmatch(reference):
            event = events.find_latest_by_row_id(connection, int(reference))
        return event

    event = await state.store.run(job)
    if event is None:
        raise WebhookNotFound
    return success("Webhook retrieved", events.summary_body(event, state.settings.domain))


@router.get("/{event_id}", name="events", summary="Fetch a webhook event")
async def fetch_event(event_id: str, state: CurrentState) -> Response:
    """Show one event with its payload and all attempts to deliver it."""
    event = await state.store.run(lambda connection: events.find(connection, event_id))
    if event is None:
        raise WebhookNotFound
    settings = state.settings
    return success("Webhook retrieved", events.detail_body(event, settings.domain, settings.webhook_url))


IDS = {
    "type": "object",
    "required": ["ids"],
    "properties": {"ids": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": RESEND_IDS}},
}
FILTERS = {
    "type": "object",
    "required": ["filters"],
    "properties": {"filters": {"type": "object", "description": "The filters of the list, without limit and cursors."}},
}


@router.post("/resend", name="resend", summary="Resend webhook events", openapi_extra=body_of(IDS))
async def resend_events(request: Request, state: CurrentState) -> Response:
    """Send the given events again. They are sent once per call, so the call is not idempotent."""
    ids = _parse_ids(parse_fields(request.headers.get("content-type", ""), await request.body()).get("ids"))
    if state.settings.webhook_url is None:
        raise NoWebhookUrl

    def job(connection: sqlite3.Connection) -> int:
        found = [events.find(connection, event_id) for event_id in ids]
        if None in found:
            raise WebhookNotFound
        for event in found:
            if event is not None:
                events.resend(connection, event)
        return len(found)

    count = await state.store.run(job)
    state.notify()
    return success("Webhooks queued", {"count": count})


@router.post(
    "/resend-matching",
    name="resend",
    summary="Resend matching webhook events",
    openapi_extra=body_of(FILTERS) | query_of("preview"),
)
async def resend_matching_events(request: Request, state: CurrentState) -> Response:
    """Send the events that match the filters again, at most the oldest 1,000. With `preview=true`, only count them."""
    wanted = _parse_filters(parse_fields(request.headers.get("content-type", ""), await request.body()).get("filters"))
    preview = request.query_params.get("preview", "").lower() == "true"
    if state.settings.webhook_url is None:
        raise NoWebhookUrl

    def job(connection: sqlite3.Connection) -> int:
        matching = events.list_oldest(connection, wanted)
        for event in () if preview else matching:
            events.resend(connection, event)
        return len(matching)

    count = await state.store.run(job)
    state.notify()
    return success("Webhooks matched" if preview else "Webhooks queued", {"count": count})


def _parse_ids(value: Any) -> list[str]:
    if (
        not isinstance(value, list)
        or not 1 <= len(value) <= RESEND_IDS
        or not all(isinstance(each, str) for each in value)
    ):
        raise InvalidParams(f"ids must be a list of 1 to {RESEND_IDS} webhook ids")
    return value


def _parse_filters(value: Any) -> Filter:
    if not isinstance(value, dict) or not all(isinstance(each, (str, int)) for each in value.values()):
        raise InvalidParams("filters must be an object whose values are strings or numbers")
    if not all(is_utf8(str(each)) for each in value.values()):
        raise InvalidParams("filters must not contain lone surrogates")
    return _parse_filter(QueryParams({name: str(each) for name, each in value.items()}))
