"""The notices that are held: looking through them, and giving them their effect once more."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from kit.db.bulk import table_of
from kit.messaging.inbox import EntryStatus
from services.payments.webhooks.models import WebhookEvent

REPROCESS_BATCH = 500
MAX_REPROCESSED = 10_000
"""In one go; whoever wants more goes on after the last one."""

SLACK = timedelta(minutes=1)
"""How far the order of ids and the order of arrival may differ: an id is taken when the notice is stored, a moment after it came."""


class WebhookEventRow(NamedTuple):
    """A webhook event without its headers and its body, which may have a mebibyte."""

    id: int
    event: str | None
    reference: str | None
    identity: str | None
    status: EntryStatus
    outcome: str | None
    error: str | None
    attempts: int
    received_at: datetime
    next_attempt_at: datetime
    processed_at: datetime | None


SHOWN = tuple(table_of(WebhookEvent).c[name] for name in WebhookEventRow._fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which notices; None is any. `since` is included, `until` is not."""

    ids: Sequence[int] | None = None
    status: EntryStatus | None = None
    event: str | None = None
    reference: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = []
        if self.ids is not None:
            found.append(WebhookEvent.id.in_(self.ids))
        if self.status is not None:
            found.append(WebhookEvent.status == self.status)
        if self.event is not None:
            found.append(WebhookEvent.event == self.event)
            if self.event != "charge.success":
                found.append(WebhookEvent.event != "charge.success")  # what the index of the rare ones is made for
        if self.reference is not None:
            found.append(WebhookEvent.reference == self.reference)
        if self.since is not None:
            found.append(WebhookEvent.received_at >= self.since)
        if self.until is not None:
            found.append(WebhookEvent.received_at < self.until)
        return found


async def _narrowed(session: AsyncSession, wanted: Filter) -> list[ColumnElement[bool]]:
    """The conditions, with times as ids too: by id it is found where to begin, among millions."""
    found = wanted.conditions()
    if wanted.since is not None:
        found.append(WebhookEvent.id >= await _first_since(session, wanted.since - SLACK))
    if wanted.until is not None:
        found.append(WebhookEvent.id < await _first_since(session, wanted.until + SLACK))
    return found


async def _first_since(session: AsyncSession, moment: datetime) -> int:
    """The smallest id received then or later, by halving: ids are given out as time goes by."""
    first, last = (await session.execute(select(func.min(WebhookEvent.id), func.max(WebhookEvent.id)))).one()
    low, high = first or 0, (last or 0) + 1
    while low < high:
        middle = (low + high) // 2
        query = (
            select(WebhookEvent.id, WebhookEvent.received_at)
            .where(WebhookEvent.id >= middle)
            .order_by(WebhookEvent.id)
            .limit(1)
        )
        row = (await session.execute(query)).one_or_none()
        if row is None or row.received_at >= moment:
            high = middle
        else:
            low = row.id + 1
    return low


async def page(session: AsyncSession, wanted: Filter, limit: int, before: int | None = None) -> list[WebhookEventRow]:
    """Newest first, those with a smaller id than `before`."""
    query = select(*SHOWN).where(*await _narrowed(session, wanted)).order_by(WebhookEvent.id.desc()).limit(limit)
    rows = await session.execute(query if before is None else query.where(WebhookEvent.id < before))
    return [WebhookEventRow(*row) for row in rows]


async def find(session: AsyncSession, notice_id: int) -> WebhookEvent | None:
    """With its body and headers."""
    return (await session.execute(select(WebhookEvent).where(WebhookEvent.id == notice_id))).scalar_one_or_none()


async def reprocess(
    sessions: async_sessionmaker[AsyncSession], wanted: Filter, after: int = 0, most: int = MAX_REPROCESSED
) -> tuple[int, int | None]:
    """Have these pending again, from the smallest id above `after`, a batch a transaction: how many it were, and where to go on.

    What a worker has in hand is passed over, and so is what is due anyway. An effect that was had is not had again.
    """
    count = 0
    async with sessions() as session:
        conditions = await _narrowed(session, wanted)
    while count < most:
        async with sessions.begin() as session:
            batch = await _replay_batch(session, conditions, after, min(REPROCESS_BATCH, most - count))
        count += len(batch)
        if len(batch) < REPROCESS_BATCH:
            return count, None if count < most else max(batch, default=None)
        after = max(batch)
    return count, after


async def _replay_batch(
    session: AsyncSession, conditions: Sequence[ColumnElement[bool]], after: int, limit: int
) -> list[int]:
    waits = (WebhookEvent.status != EntryStatus.PENDING) | (WebhookEvent.next_attempt_at > func.now())
    some = (
        select(WebhookEvent.id)
        .where(*conditions, waits, WebhookEvent.id > after)
        .order_by(WebhookEvent.id)
        .limit(limit)
    )
    # A WITH is run once; in the IN itself, Postgres may run it once for each row, and then it knows no limit.
    taken = some.with_for_update(skip_locked=True).cte("taken")
    again = (
        update(WebhookEvent)
        .where(WebhookEvent.id.in_(select(taken.c.id)))
        .values(status=EntryStatus.PENDING, attempts=0, next_attempt_at=func.now(), processed_at=None)
        .returning(WebhookEvent.id)
    )
    return list((await session.execute(again)).scalars())
