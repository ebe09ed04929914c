"""Lists of payments, newest first. Each reads a bounded number of rows, whatever the filters are and however rare their matches."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Text, any_, literal, select, union_all
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.ext.asyncio import AsyncSession

from kit.db.id_ranges import in_period
from services.payments.models import Payment
from services.payments.statuses import PaymentStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentFilter:
    """Select payments that match all filters. None, and no statuses, select all; `since` is inclusive, `until` is exclusive."""

    payer_id: str | None = None
    order_id: UUID | None = None
    reference: str | None = None
    statuses: Collection[PaymentStatus] = ()
    since: datetime | None = None
    until: datetime | None = None


async def list_payments(
    session: AsyncSession, selected: PaymentFilter, limit: int, before: int | None = None
) -> list[Payment]:
    """Return up to `limit` payments, newest first; with `before`, only those with a smaller id.

    Reads at most the payments of one order or of one payer if they are given, otherwise at most `limit` rows for each status.
    """
    conditions = await in_period(session, Payment.id, Payment.created_at, selected.since, selected.until)
    if before is not None:
        conditions.append(Payment.id < before)
    if selected.reference is not None:
        conditions.append(Payment.reference == selected.reference)
    if selected.order_id is not None:
        conditions.append(Payment.order_id == selected.order_id)
    statuses = set(selected.statuses)
    if selected.payer_id is not None:
        query = _of_payer(selected.payer_id, statuses, conditions)
    elif selected.reference is None and selected.order_id is None and statuses:
        query = _with_statuses(statuses, conditions, limit)
    else:
        query = select(Payment).where(*conditions, *_has_status(statuses)).order_by(Payment.id.desc())
    return list((await session.execute(query.limit(limit))).scalars())


def _of_payer(
    payer_id: str, statuses: Collection[PaymentStatus], conditions: Collection[ColumnElement[bool]]
) -> Select[Payment]:
    """Select the payments of a payer, by the index on payer_id and id.

    For a payer with many payments, the planner would walk the primary key instead, and read everybody's payments if the payer's are old.
    The condition with ANY and the order, which only this index has, prevent that.
    """
    of_payer = Payment.payer_id == any_(array([literal(payer_id, Text)]))
    query = select(Payment).where(of_payer, *conditions, *_has_status(statuses))
    return query.order_by(Payment.payer_id.desc(), Payment.id.desc())


def _with_statuses(
    statuses: Collection[PaymentStatus], conditions: Collection[ColumnElement[bool]], limit: int
) -> Select[Payment]:
    """Select the newest payments with these statuses: the newest of each status by the index on status and id, and of them the newest.

    With one condition for all statuses, the planner walks the primary key if it takes one of them for frequent, and that is wrong for a
    part of the table in which it is rare. See `_of_payer` for ANY.
    """
    newest = [
        select(Payment.id)
        .where(Payment.status == any_(array([literal(status, Text)])), *conditions)
        .order_by(Payment.status.desc(), Payment.id.desc())
        .limit(limit)
        .subquery()
        for status in sorted(statuses)
    ]
    ids = union_all(*(select(each.c.id) for each in newest)).subquery()
    return select(Payment).where(Payment.id.in_(select(ids.c.id))).order_by(Payment.id.desc())


def _has_status(statuses: Collection[PaymentStatus]) -> list[ColumnElement[bool]]:
    return [Payment.status.in_(statuses)] if statuses else []
