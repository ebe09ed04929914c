"""Publish what happens to accounts: the event is written to the outbox in the transaction of the change."""

from collections.abc import AsyncGenerator
from datetime import datetime, timedelta
from typing import cast
from uuid import UUID

from sqlalchemy import delete, func, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import InstrumentedAttribute

from contracts.events import (
    AccountChanged,
    AccountChangedData,
    AccountDeleted,
    AccountDeletedData,
    AccountMerged,
    AccountMergedData,
    Event,
    event_id_for,
)
from kit.messaging import outbox
from services.auth.accounts.models import EndedAccount
from services.auth.models import Account, OutboxRow

BATCH = 500
RETENTION = timedelta(days=90)
"""How long the ids of ended accounts are kept, so that their events can be published again."""

CHANGED_AT = cast("InstrumentedAttribute[datetime]", Account.changed_at)
"""Not NULL in the rows that are read here."""


async def publish_change(db: AsyncSession, account_id: UUID) -> None:
    """Publish account.changed with the account's current name and e-mail address. Call it after every change of one of them."""
    changed = await db.execute(
        update(Account)
        .where(Account.id == account_id)
        .values(changed_at=func.clock_timestamp())
        .returning(Account.id, Account.email, Account.name, CHANGED_AT)
    )
    await outbox.add(db, OutboxRow, _changed(*changed.one()))


async def end(db: AsyncSession, account_id: UUID, *, merged_into: UUID | None) -> None:
    """Record that an account has ended, and publish account.merged if it was merged into another one, else account.deleted."""
    row = insert(EndedAccount).values(account_id=account_id, merged_into=merged_into).returning(EndedAccount.ended_at)
    ended_at = (await db.execute(row)).scalar_one()
    await outbox.add(db, OutboxRow, await _ended(db, account_id, merged_into, ended_at))


async def republish(
    db_sessions: async_sessionmaker[AsyncSession], since: datetime, until: datetime
) -> AsyncGenerator[int, None]:
    """Add the events of this period to the outbox again, with the same ids, in batches. Of the changes of an account, only the last one.

    Yields the number of events that each batch added: those that are still in the outbox are not counted.
    """
    for read in (_read_changes, _read_ends):
        last = since, UUID(int=0)
        full = True
        while full:
            async with db_sessions.begin() as db:
                events = await read(db, last, until)
                added = await outbox.add(db, OutboxRow, *events)
            full = len(events) == BATCH
            if events:
                yield added
                last = events[-1].time, UUID(events[-1].subject)


async def _read_changes(db: AsyncSession, after: tuple[datetime, UUID], until: datetime) -> list[Event]:
    position = tuple_(CHANGED_AT, Account.id)
    changed = select(Account.id, Account.email, Account.name, CHANGED_AT)
    period = (position > after, until > CHANGED_AT)
    found = await db.execute(changed.where(*period).order_by(CHANGED_AT, Account.id).limit(BATCH))
    return [_changed(*row) for row in found]


async def _read_ends(db: AsyncSession, after: tuple[datetime, UUID], until: datetime) -> list[Event]:
    position = tuple_(EndedAccount.ended_at, EndedAccount.account_id)
    ended = select(EndedAccount.account_id, EndedAccount.merged_into, EndedAccount.ended_at)
    period = (position > after, EndedAccount.ended_at < until)
    order = EndedAccount.ended_at, EndedAccount.account_id
    found = (await db.execute(ended.where(*period).order_by(*order).limit(BATCH))).all()
    return [await _ended(db, *row) for row in found]


async def prune(db: AsyncSession, limit: int) -> int:
    """Delete up to `limit` ended accounts whose events are too old to be published again. Return their number."""
    old = select(EndedAccount.account_id).where(EndedAccount.ended_at < func.now() - RETENTION).limit(limit)
    locked = old.with_for_update(skip_locked=True).cte("locked")
    deleted = await db.execute(
        delete(EndedAccount).where(EndedAccount.account_id.in_(select(locked))).returning(EndedAccount.account_id)
    )
    return len(deleted.all())


def _changed(account_id: UUID, email: str | None, name: str | None, changed_at: datetime) -> Event:
    return AccountChanged(
        id=event_id_for("account.changed", account_id, changed_at.isoformat()),
        subject=str(account_id),
        time=changed_at,
        data=AccountChangedData(account_id=account_id, email=email, name=name),
    )


async def _ended(db: AsyncSession, account_id: UUID, merged_into: UUID | None, ended_at: datetime) -> Event:
    if merged_into is None:
        return AccountDeleted(
            id=event_id_for("account.deleted", account_id),
            subject=str(account_id),
            time=ended_at,
            data=AccountDeletedData(account_id=account_id),
        )
    found = await db.execute(select(Account.email, Account.name).where(Account.id == merged_into))
    email, name = found.one_or_none() or (None, None)  # it may have been deleted since
    return AccountMerged(
        id=event_id_for("account.merged", account_id),
        subject=str(account_id),
        time=ended_at,
        data=AccountMergedData(account_id=account_id, merged_into=merged_into, email=email, name=name),
    )
