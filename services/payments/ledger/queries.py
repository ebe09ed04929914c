"""Query the ledger: pages of entries, all entries of a period in batches, and the balance of each account."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, Row, Select, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from kit.pagination import decode_cursor, encode_cursor, split_page
from services.payments.ledger.models import Account, LedgerEntry, LedgerTransaction, MovementKind
from services.payments.models import Payment

BATCH = 1000
SORT_KEY = (LedgerEntry.recorded_at, LedgerEntry.transaction_id, LedgerEntry.line)


@dataclass(frozen=True, slots=True)
class Filter:
    """Conditions for entries; None means any. `since` (included) and `until` (excluded) are compared with `recorded_at`."""

    account: Account | None = None
    currency: str | None = None
    reference: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """Return the conditions as SQL."""
        conditions: list[ColumnElement[bool]] = []
        if self.account is not None:
            conditions.append(LedgerEntry.account == self.account)
        if self.currency is not None:
            conditions.append(LedgerEntry.currency == self.currency)
        if self.reference is not None:
            payment = select(Payment.id).where(Payment.reference == self.reference).scalar_subquery()
            conditions.append(LedgerTransaction.payment_id == payment)
        if self.since is not None:
            conditions.append(LedgerEntry.recorded_at >= self.since)
        if self.until is not None:
            conditions.append(LedgerEntry.recorded_at < self.until)
        return conditions


class EntryRow(NamedTuple):
    """One entry with its movement. `reference` is that of the payment; None for a payout, and for an unrelated charge and its fee."""

    recorded_at: datetime
    transaction_id: int
    line: int
    movement: str
    kind: MovementKind
    occurred_at: datetime
    reference: str | None
    account: Account
    currency: str
    amount: int


def _entries(filters: Filter) -> Select[datetime, int, int, str, MovementKind, datetime, str, Account, str, int]:
    """Select the columns of EntryRow, in its order."""
    return (
        select(
            LedgerEntry.recorded_at,
            LedgerEntry.transaction_id,
            LedgerEntry.line,
            LedgerTransaction.key.label("movement"),
            LedgerTransaction.kind,
            LedgerTransaction.occurred_at,
            Payment.reference,
            LedgerEntry.account,
            LedgerEntry.currency,
            LedgerEntry.amount,
        )
        .join(LedgerTransaction, LedgerTransaction.id == LedgerEntry.transaction_id)
        .outerjoin(Payment, Payment.id == LedgerTransaction.payment_id)
        .where(*filters.conditions())
    )


async def page(
    session: AsyncSession, filters: Filter, limit: int, cursor: str | None
) -> tuple[Sequence[EntryRow], str | None]:
    """Return a page of entries, newest first, and the cursor of the next page. Raises InvalidCursor."""
    query = _entries(filters).order_by(*(column.desc() for column in SORT_KEY)).limit(limit + 1)
    if cursor is not None:
        query = query.where(tuple_(*SORT_KEY) < tuple_(*decode_cursor(cursor, "ledger", datetime, int, int)))
    rows = [EntryRow(*row) for row in await session.execute(query)]
    return split_page(rows, limit, _cursor)


def _cursor(last: EntryRow) -> str:
    return encode_cursor("ledger", last.recorded_at, last.transaction_id, last.line)


async def batches(
    sessions: async_sessionmaker[AsyncSession], filters: Filter, size: int = BATCH
) -> AsyncIterator[Sequence[EntryRow]]:
    """Yield all entries, oldest first, in batches. No connection is in use between two batches, because the client may read slowly."""
    first = _entries(filters).order_by(*SORT_KEY).limit(size)
    query = first
    while True:
        async with sessions() as session:
            batch = [EntryRow(*row) for row in await session.execute(query)]
        yield batch
        if len(batch) < size:
            return
        last = batch[-1]
        query = first.where(tuple_(*SORT_KEY) > tuple_(last.recorded_at, last.transaction_id, last.line))


async def balances(session: AsyncSession, until: datetime | None = None) -> Sequence[Row[str, Account, int]]:
    """Return rows of currency, account and balance in subunits: the sums of all entries, or of those recorded before `until`."""
    query = (
        select(LedgerEntry.currency, LedgerEntry.account, func.sum(LedgerEntry.amount).label("balance"))
        .where(*Filter(until=until).conditions())
        .group_by(LedgerEntry.currency, LedgerEntry.account)
        .order_by(LedgerEntry.currency, LedgerEntry.account)
    )
    return (await session.execute(query)).all()
