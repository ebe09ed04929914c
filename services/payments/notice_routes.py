"""The notices, for operators: payments:read may look at them, payments:decide may have them handled again."""

from typing import Annotated

import structlog
from fastapi import APIRouter, Path, Query

from kit.errors import NotAllowed, NotAuthenticated, problem_responses
from kit.pagination import CursorParam, InvalidCursor, Limit, decode_cursor, encode_cursor
from services.payments import archive, wakeup
from services.payments.archive import Wanted
from services.payments.db import Transaction, engine, sessions
from services.payments.errors import NoticeNotFound
from services.payments.identity import Deciding, Reading
from services.payments.notice_schemas import (
    EventName,
    Moment,
    NoticeDetail,
    NoticeId,
    NoticePage,
    NoticeReference,
    NoticeView,
    Replay,
    Replayed,
    State,
)

SORT = "notices"
REPLAY_SORT = "notices replayed"
router = APIRouter(prefix="/payments/notices", tags=["notices"])
bell = wakeup.Doorbell(engine, "notices")
log = structlog.get_logger("notices")


@router.get("", responses=problem_responses(NotAuthenticated, NotAllowed, InvalidCursor))
async def list_notices(
    _: Reading,
    session: Transaction,
    state: Annotated[State | None, Query(description="Only those; `failed` waits for a person")] = None,
    event: Annotated[EventName | None, Query(description="Only of this kind, such as charge.success")] = None,
    reference: Annotated[NoticeReference | None, Query(description="Only about this payment")] = None,
    from_: Annotated[Moment | None, Query(alias="from", description="Received then or later")] = None,
    to: Annotated[Moment | None, Query(description="Received before")] = None,
    limit: Limit = 20,
    cursor: CursorParam = None,
) -> NoticePage:
    """What Paystack sent, newest first."""
    wanted = Wanted(state=state, event=event, reference=reference, since=from_, until=to)
    found = await archive.page(session, wanted, limit + 1, None if cursor is None else _after(cursor, SORT))
    more = encode_cursor(SORT, found[limit - 1].id) if len(found) > limit else None
    return NoticePage(items=[NoticeView.model_validate(row) for row in found[:limit]], next_cursor=more)


@router.post("/replay", status_code=202, responses=problem_responses(NotAuthenticated, NotAllowed, InvalidCursor))
async def replay(caller: Deciding, asked: Replay) -> Replayed:
    """Give notices their effect once more, with all their tries: at most 10,000 a request, the oldest first.

    What they have brought about already is not brought about again.
    """
    wanted = Wanted(ids=asked.ids, state=asked.state, event=asked.event, since=asked.from_, until=asked.to)
    after = 0 if asked.cursor is None else _after(asked.cursor, REPLAY_SORT)
    count, last = await archive.replay(sessions, wanted, after)
    log.warning("notices are replayed", count=count, by=caller.id)
    bell.ring()
    return Replayed(count=count, next_cursor=None if last is None else encode_cursor(REPLAY_SORT, last))


@router.get("/{notice_id}", responses=problem_responses(NotAuthenticated, NotAllowed, NoticeNotFound))
async def read(_: Reading, session: Transaction, notice_id: Annotated[NoticeId, Path()]) -> NoticeDetail:
    """One notice as it came, with its headers."""
    found = await archive.find(session, notice_id)
    if found is None:
        raise NoticeNotFound
    return NoticeDetail.of(found)


def _after(cursor: str, sort: str) -> int:
    (last,) = decode_cursor(cursor, sort, int)
    return int(last)
