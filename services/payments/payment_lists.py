"""Lists of payments, newest first. Each reads a bounded number of rows, whatever the filters are and however rare their matches."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, Text, any_, literal, select, tuple_, union_all
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from kit.db.id_ranges import exactly_in_period, ids_in_period
from services.payments.models import Payment
from services.payments.statuses import PaymentStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentFilter:
    """Select payments that match all filters. A filter that is None or empty is not applied; `since` is inclusive, `until` exclusive."""

    customer_id: str | None = None
    external_id: str | None = None
    order_id: UUID | None = None
    reference: str | None = None
    statuses: Collection[PaymentStatus] = ()
    since: datetime | None = None
    until: datetime | None = None


async def list_payments(
    session: AsyncSession, selected: PaymentFilter, limit: int, before: int | None = None
) -> list[Payment]:
    """Return up to `limit` payments, newest first; with `before`, only those with a smaller id.

    Reads at most the payments of one order, of one customer or with one external id if they are given, otherwise at most `limit` rows for
    each status.
    """
    period = (selected.since, selected.until)
    first, last = await ids_in_period(session, Payment.id, Payment.created_at, *period)
    if before is not None:
        last = min(last, before - 1)
    conditions = exactly_in_period(Payment.created_at, *period)
    if selected.reference is not None:
        conditions.append(Payment.reference == selected.reference)
    if selected.order_id is not None:
        conditions.append(Payment.order_id == selected.order_id)
    statuses = set(selected.statuses)
    named = (selected.customer_id, selected.external_id, selected.reference, selected.order_id)
    if statuses and all(name is None for name in named):
        newest = (_with_status(status, first, last).where(*conditions).limit(limit) for status in sorted(statuses))
        found = union_all(*(select(each.subquery().c.id) for each in newest)).subquery()
        ids = select(found.c.id).order_by(found.c.id.desc()).limit(limit)
        query = select(Payment).where(Payment.id.in_(ids)).order_by(Payment.id.desc())
        return list((await session.execute(query)).scalars())
    if statuses:
        conditions.append(Payment.status.in_(statuses))
    query = _in_order(select(Payment).where(*conditions), selected, first, last)
    return list((await session.execute(query.limit(limit))).scalars())


def _in_order(query: Select[Payment], selected: PaymentFilter, first: int, last: int) -> Select[Payment]:
    """Add the filters by external id and customer, the range of the ids, and the order, newest first."""
    if selected.external_id is not None:
        if selected.customer_id is not None:
            query = query.where(Payment.customer_id == selected.customer_id)
        return _by_index_on(query, Payment.customer_external_id, selected.external_id, first, last)
    if selected.customer_id is not None:
        return _by_index_on(query, Payment.customer_id, selected.customer_id, first, last)
    return query.where(Payment.id >= first, Payment.id <= last).order_by(Payment.id.desc())


def _by_index_on(
    query: Select[Payment], column: InstrumentedAttribute[str | None], value: str, first: int, last: int
) -> Select[Payment]:
    """Select the payments with this value and ids from `first` to `last`, newest first, by the index on the column and the id.

    For a customer with many payments, the planner would walk the primary key instead, and read everybody's payments of the period if the
    customer's are older. The condition with ANY, the comparison of pairs, and the ORDER BY, which only this index can serve, prevent that.
    """
    has_value = column == any_(array([literal(value, Text)]))
    pair = tuple_(column, Payment.id)
    in_range = (pair >= tuple_(value, first), pair <= tuple_(value, last))
    return query.where(has_value, *in_range).order_by(column.desc(), Payment.id.desc())


def _with_status(status: PaymentStatus, first: int, last: int) -> Select[int]:
    """Select the ids from `first` to `last` of payments with a status, newest first, by the index on status and id.

    With other conditions, the planner may read all payments with the status, or walk the primary key, because its statistics are those of
    the whole table and the status is rare or frequent in this part of it. Only this index can serve the comparison of pairs.
    """
    pair = tuple_(Payment.status, Payment.id)
    selected = select(Payment.id).where(pair >= tuple_(status, first), pair <= tuple_(status, last))
    return selected.order_by(Payment.status.desc(), Payment.id.desc())
