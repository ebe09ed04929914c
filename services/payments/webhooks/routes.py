"""The notices, for operators: payments:read may look at them, payments:decide may have them handled again."""

from typing import Annotated

import structlog
from fastapi import APIRouter, Path, Query

from kit.errors import NotAllowed, NotAuthenticated, problem_responses
from kit.messaging.inbox import EntryStatus
from kit.pagination import CursorParam, InvalidCursor, Limit, decode_cursor, encode_cursor, split_page
from services.payments.auth import Deciding, Reading
from services.payments.db import CurrentNotifier, Topic, Transaction, sessions
from services.payments.errors import WebhookEventNotFound
from services.payments.webhooks import queries
from services.payments.webhooks.queries import Filter
from services.payments.webhooks.schemas import (
    EventName,
    Moment,
    ReferenceFilter,
    Reprocess,
    Reprocessed,
    WebhookEventDetail,
    WebhookEventId,
    WebhookEventPage,
    WebhookEventView,
)

SORT = "notices"
REPLAY_SORT = "notices replayed"
router = APIRouter(prefix="/payments/webhook-events", tags=["notices"])
log = structlog.get_logger("notices")


@router.get("", responses=problem_responses(NotAuthenticated, NotAllowed, InvalidCursor))
async def list_notices(
    _: Reading,
    session: Transaction,
    status: Annotated[EntryStatus | None, Query(description="Only those; `failed` waits for a person")] = None,
    event: Annotated[EventName | None, Query(description="Only of this kind, such as charge.success")] = None,
    reference: Annotated[ReferenceFilter | None, Query(description="Only about this payment")] = None,
    from_: Annotated[Moment | None, Query(alias="from", description="Received then or later")] = None,
    to: Annotated[Moment | None, Query(description="Received before")] = None,
    limit: Limit = 20,
    cursor: CursorParam = None,
) -> WebhookEventPage:
    """What Paystack sent, newest first."""
    wanted = Filter(status=status, event=event, reference=reference, since=from_, until=to)
    found = await queries.page(session, wanted, limit + 1, None if cursor is None else _after(cursor, SORT))
    page, next_cursor = split_page(found, limit, lambda event: encode_cursor(SORT, event.id))
    return WebhookEventPage(items=[WebhookEventView.model_validate(row) for row in page], next_cursor=next_cursor)


@router.post("/reprocess", status_code=202, responses=problem_responses(NotAuthenticated, NotAllowed, InvalidCursor))
async def reprocess(caller: Deciding, notifier: CurrentNotifier, asked: Reprocess) -> Reprocessed:
    """Give notices their effect once more, with all their tries: at most 10,000 a request, the oldest first.

    What they have brought about already is not brought about again.
    """
    wanted = Filter(ids=asked.ids, status=asked.status, event=asked.event, since=asked.from_, until=asked.to)
    after = 0 if asked.cursor is None else _after(asked.cursor, REPLAY_SORT)
    count, last = await queries.reprocess(sessions, wanted, after)
    log.warning("notices are replayed", count=count, by=caller.id)
    notifier.notify(Topic.WEBHOOK_EVENTS)
    return Reprocessed(count=count, next_cursor=None if last is None else encode_cursor(REPLAY_SORT, last))


@router.get("/{notice_id}", responses=problem_responses(NotAuthenticated, NotAllowed, WebhookEventNotFound))
async def read(_: Reading, session: Transaction, notice_id: Annotated[WebhookEventId, Path()]) -> WebhookEventDetail:
    """One notice as it came, with its headers."""
    found = await queries.find(session, notice_id)
    if found is None:
        raise WebhookEventNotFound
    return WebhookEventDetail.of(found)


def _after(cursor: str, sort: str) -> int:
    (last,) = decode_cursor(cursor, sort, int)
    return last
