"""Reading the books: pages of entries, all of a period in batches, and the balance of each account."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, Select, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from kit.pagination import decode_cursor, encode_cursor, split_page
from services.payments.ledger.models import Account, LedgerEntry, LedgerTransaction, MovementKind
from services.payments.models import Payment

BATCH = 1000
SORT = "ledger"
PLACE = (LedgerEntry.recorded_at, LedgerEntry.transaction_id, LedgerEntry.line)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which entries; None is any. `since` is included, `until` is not: both are about the time of recording."""

    account: Account | None = None
    currency: str | None = None
    reference: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = []
        if self.account is not None:
            found.append(LedgerEntry.account == self.account)
        if self.currency is not None:
            found.append(LedgerEntry.currency == self.currency)
        if self.reference is not None:
            payment = select(Payment.id).where(Payment.reference == self.reference).scalar_subquery()
            found.append(LedgerTransaction.payment_id == payment)
        if self.since is not None:
            found.append(LedgerEntry.recorded_at >= self.since)
        if self.until is not None:
            found.append(LedgerEntry.recorded_at < self.until)
        return found


class EntryRow(NamedTuple):
    """One entry with its transaction. `reference`: the payment that it is about; None for a payout."""

    recorded_at: datetime
    transaction_id: int
    line: int
    transaction: str
    kind: MovementKind
    occurred_at: datetime
    reference: str | None
    account: Account
    currency: str
    amount: int


def _entries(wanted: Filter) -> Select[*tuple[Any, ...]]:
    """Select the columns of EntryRow, in its order."""
    return (
        select(
            LedgerEntry.recorded_at,
            LedgerEntry.transaction_id,
            LedgerEntry.line,
            LedgerTransaction.key.label("transaction"),
            LedgerTransaction.kind,
            LedgerTransaction.occurred_at,
            Payment.reference,
            LedgerEntry.account,
            LedgerEntry.currency,
            LedgerEntry.amount,
        )
        .join(LedgerTransaction, LedgerTransaction.id == LedgerEntry.transaction_id)
        .outerjoin(Payment, Payment.id == LedgerTransaction.payment_id)
        .where(*wanted.conditions())
    )


async def page(
    session: AsyncSession, wanted: Filter, limit: int, cursor: str | None
) -> tuple[Sequence[EntryRow], str | None]:
    """The newest entries, or those after the cursor, and the cursor to go on with. Raises InvalidCursor."""
    query = _entries(wanted).order_by(*(column.desc() for column in PLACE)).limit(limit + 1)
    if cursor is not None:
        query = query.where(tuple_(*PLACE) < tuple_(*decode_cursor(cursor, SORT, datetime, int, int)))
    rows = [EntryRow(*row) for row in await session.execute(query)]
    return split_page(
        rows, limit, lambda entry: encode_cursor(SORT, entry.recorded_at, entry.transaction_id, entry.line)
    )


async def batches(
    sessions: async_sessionmaker[AsyncSession], wanted: Filter, size: int = BATCH
) -> AsyncIterator[Sequence[EntryRow]]:
    """All entries, oldest first. No connection is held between two batches: whoever reads may be slow."""
    query = _entries(wanted).order_by(*PLACE).limit(size)
    after = query
    while True:
        async with sessions() as session:
            found = [EntryRow(*row) for row in await session.execute(after)]
        yield found
        if len(found) < size:
            return
        after = query.where(tuple_(*PLACE) > tuple_(found[-1].recorded_at, found[-1].transaction_id, found[-1].line))


async def balances(session: AsyncSession, until: datetime | None = None) -> Sequence[Row[str, Account, int]]:
    """Currency, account and balance: of everything, or of what was recorded before `until`."""
    query = (
        select(LedgerEntry.currency, LedgerEntry.account, func.sum(LedgerEntry.amount).label("balance"))
        .where(*Filter(until=until).conditions())
        .group_by(LedgerEntry.currency, LedgerEntry.account)
        .order_by(LedgerEntry.currency, LedgerEntry.account)
    )
    return (await session.execute(query)).all()
