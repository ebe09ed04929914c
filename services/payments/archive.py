"""The notices that are held: looking through them, and giving them their effect once more."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from services.payments.models import Notice

REPLAY_BATCH = 500
MOST_REPLAYED = 10_000
"""In one go; whoever wants more goes on after the last one."""

SLACK = timedelta(minutes=1)
"""How far the order of ids and the order of arrival may differ: an id is taken when the notice is stored, a moment after it came."""

SHOWN = (
    Notice.id,
    Notice.event,
    Notice.reference,
    Notice.identity,
    Notice.state,
    Notice.outcome,
    Notice.error,
    Notice.attempts,
    Notice.received_at,
    Notice.next_attempt_at,
    Notice.processed_at,
)
"""All but the body: it may have a mebibyte."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which notices; None is any. `since` is included, `until` is not."""

    ids: Sequence[int] | None = None
    state: str | None = None
    event: str | None = None
    reference: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = []
        if self.ids is not None:
            found.append(Notice.id.in_(self.ids))
        if self.state is not None:
            found.append(Notice.state == self.state)
        if self.event is not None:
            found.append(Notice.event == self.event)
            if self.event != "charge.success":
                found.append(Notice.event != "charge.success")  # what the index of the rare ones is made for
        if self.reference is not None:
            found.append(Notice.reference == self.reference)
        if self.since is not None:
            found.append(Notice.received_at >= self.since)
        if self.until is not None:
            found.append(Notice.received_at < self.until)
        return found


async def _narrowed(session: AsyncSession, wanted: Wanted) -> list[ColumnElement[bool]]:
    """The conditions, with times as ids too: by id it is found where to begin, among millions."""
    found = wanted.conditions()
    if wanted.since is not None:
        found.append(Notice.id >= await _first_since(session, wanted.since - SLACK))
    if wanted.until is not None:
        found.append(Notice.id < await _first_since(session, wanted.until + SLACK))
    return found


async def _first_since(session: AsyncSession, moment: datetime) -> int:
    """The smallest id received then or later, by halving: ids are given out as time goes by."""
    first, last = (await session.execute(select(func.min(Notice.id), func.max(Notice.id)))).one()
    low, high = first or 0, (last or 0) + 1
    while low < high:
        middle = (low + high) // 2
        query = select(Notice.id, Notice.received_at).where(Notice.id >= middle).order_by(Notice.id).limit(1)
        row = (await session.execute(query)).one_or_none()
        if row is None or row.received_at >= moment:
            high = middle
        else:
            low = row.id + 1
    return low


async def page(session: AsyncSession, wanted: Wanted, limit: int, before: int | None = None) -> list[Any]:
    """Newest first, those with a smaller id than `before`."""
    query = select(*SHOWN).where(*await _narrowed(session, wanted)).order_by(Notice.id.desc()).limit(limit)
    return list((await session.execute(query if before is None else query.where(Notice.id < before))).all())


async def find(session: AsyncSession, notice_id: int) -> Notice | None:
    """With its body and headers."""
    return (await session.execute(select(Notice).where(Notice.id == notice_id))).scalar_one_or_none()


async def replay(
    sessions: async_sessionmaker[AsyncSession], wanted: Wanted, after: int = 0, most: int = MOST_REPLAYED
) -> tuple[int, int | None]:
    """Have these pending again, from the smallest id above `after`, a batch a transaction: how many it were, and where to go on.

    What a worker has in hand is passed over, and so is what is due anyway. An effect that was had is not had again.
    """
    count = 0
    async with sessions() as session:
        conditions = await _narrowed(session, wanted)
    while count < most:
        async with sessions.begin() as session:
            batch = await _replay_batch(session, conditions, after, min(REPLAY_BATCH, most - count))
        count += len(batch)
        if len(batch) < REPLAY_BATCH:
            return count, None if count < most else max(batch, default=None)
        after = max(batch)
    return count, after


async def _replay_batch(
    session: AsyncSession, conditions: Sequence[ColumnElement[bool]], after: int, limit: int
) -> list[int]:
    waits = (Notice.state != "pending") | (Notice.next_attempt_at > func.now())
    some = select(Notice.id).where(*conditions, waits, Notice.id > after).order_by(Notice.id).limit(limit)
    # A WITH is run once; in the IN itself, Postgres may run it once for each row, and then it knows no limit.
    taken = some.with_for_update(skip_locked=True).cte("taken")
    again = (
        update(Notice)
        .where(Notice.id.in_(select(taken.c.id)))
        .values(state="pending", attempts=0, next_attempt_at=func.now(), processed_at=None)
        .returning(Notice.id)
        .execution_options(synchronize_session=False)
    )
    return list((await session.execute(again)).scalars())
