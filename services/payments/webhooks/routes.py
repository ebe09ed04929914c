"""Routes of webhook events for operators: scope payments:read to list and get them, payments:decide to reprocess them."""

from typing import Annotated

import structlog
from fastapi import Path, Query

from kit.fields import Moment, Word
from kit.http.routing import Router
from kit.messaging.entry_status import EntryStatus
from kit.pagination import CursorParam, InvalidCursor, Limit, decode_cursor, encode_cursor, split_page
from kit.problem_responses import problem_responses
from services.payments.auth import PaymentsReader, ReviewActor
from services.payments.db import CurrentNotifier, Reading, Topic, sessions
from services.payments.errors import WebhookEventNotFound
from services.payments.webhooks import queries
from services.payments.webhooks.queries import Filter
from services.payments.webhooks.schemas import (
    Reprocess,
    Reprocessed,
    WebhookEventDetail,
    WebhookEventId,
    WebhookEventPage,
    WebhookEventView,
)

LIST_NAME = "webhook events"
REPROCESS_NAME = "reprocess webhook events"
"""A cursor of one route is not valid for the other one."""

router = Router(prefix="/payments/webhook-events", tags=["webhook events"])
log = structlog.get_logger("webhooks")


@router.get("", summary="List webhook events", responses=problem_responses(InvalidCursor))
async def list_webhook_events(
    _: PaymentsReader,
    session: Reading,
    status: Annotated[
        EntryStatus | None, Query(description="Only events with this status; `failed` events need an operator")
    ] = None,
    event: Annotated[Word | None, Query(description="Only events of this type, such as charge.success")] = None,
    reference: Annotated[Word | None, Query(description="Only events about this payment")] = None,
    from_: Annotated[
        Moment | None, Query(alias="from", description="Only events received at this time or later")
    ] = None,
    to: Annotated[Moment | None, Query(description="Only events received before this time")] = None,
    limit: Limit = 20,
    cursor: CursorParam = None,
) -> WebhookEventPage:
    """Return the events that Paystack sent, newest first, without their bodies. Requires the scope `payments:read`."""
    selected = Filter(status=status, event=event, reference=reference, since=from_, until=to)
    before = None if cursor is None else _last_id(cursor, LIST_NAME)
    rows = await queries.list_page(session, selected, limit + 1, before)
    page, next_cursor = split_page(rows, limit, lambda row: encode_cursor(LIST_NAME, row.id))
    return WebhookEventPage(items=[WebhookEventView.model_validate(row) for row in page], next_cursor=next_cursor)


@router.post(
    "/reprocess",
    status_code=202,
    summary="Reprocess webhook events",
    responses=problem_responses(InvalidCursor),
)
async def reprocess_webhook_events(actor: ReviewActor, notifier: CurrentNotifier, request: Reprocess) -> Reprocessed:
    """Reprocess webhook events in the background. Their attempts are counted from 0 again. Idempotent: no effect happens twice.

    One request reprocesses at most 10,000 events, the oldest first. To reprocess the others, send the request again with `cursor`. Requires
    the scope `payments:decide`.
    """
    selected = Filter(
        ids=request.ids, status=request.status, event=request.event, since=request.from_, until=request.to
    )
    after = 0 if request.cursor is None else _last_id(request.cursor, REPROCESS_NAME)
    count, last = await queries.reprocess(sessions, selected, actor, after)
    log.warning("webhook events scheduled for reprocessing", count=count, by=actor.id)
    notifier.notify(Topic.WEBHOOK_EVENTS)
    return Reprocessed(count=count, next_cursor=None if last is None else encode_cursor(REPROCESS_NAME, last))


@router.get(
    "/{event_id}",
    summary="Get a webhook event",
    responses=problem_responses(WebhookEventNotFound),
)
async def get_webhook_event(
    _: PaymentsReader,
    session: Reading,
    event_id: Annotated[WebhookEventId, Path(description="Id of the webhook event")],
) -> WebhookEventDetail:
    """Return a webhook event with its body and headers, as they were received. Requires the scope `payments:read`."""
    event = await queries.find(session, event_id)
    if event is None:
        raise WebhookEventNotFound
    return WebhookEventDetail.of(event)


def _last_id(cursor: str, list_name: str) -> int:
    (last,) = decode_cursor(cursor, list_name, int)
    return last
