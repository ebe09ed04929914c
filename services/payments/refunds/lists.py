"""Find refunds: those of one payment, and those of all payments."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, Text, any_, literal, literal_column, select, union_all
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.ext.asyncio import AsyncSession

from services.payments.models import Payment
from services.payments.refunds.models import Refund
from services.payments.statuses import RefundStatus


async def list_refunds(session: AsyncSession, payment_id: int) -> Sequence[Refund]:
    """Return the refunds of a payment, oldest first."""
    found = await session.execute(select(Refund).where(Refund.payment_id == payment_id).order_by(Refund.number))
    return found.scalars().all()


def refunds_with_references() -> Select[Refund, str]:
    """Select refunds with the references of their payments."""
    return select(Refund, Payment.reference).join(Payment, Payment.id == Refund.payment_id)


async def list_all_refunds(
    session: AsyncSession, statuses: Collection[RefundStatus], limit: int, before: int | None = None
) -> Sequence[Row[Refund, str]]:
    """Return up to `limit` refunds with one of these statuses, newest first, with the references of their payments. No status means any.

    With `before`, only refunds with a smaller number.
    """
    conditions = [] if before is None else [Refund.number < before]
    query = refunds_with_references().order_by(Refund.number.desc()).limit(limit)
    if statuses:
        newest = [_newest(status, conditions, limit).subquery() for status in sorted(set(statuses))]
        numbers = union_all(*(select(each.c.number) for each in newest)).subquery()
        query = query.where(Refund.number.in_(select(numbers.c.number)))
    else:
        query = query.where(*conditions)
    return (await session.execute(query)).all()


def _newest(status: RefundStatus, conditions: Sequence[ColumnElement[bool]], limit: int) -> Select[int]:
    """Select the numbers of the newest refunds with this status.

    Nearly all refunds are processed: the primary key finds those. For all others, the condition with ANY, and the ORDER BY that only
    the partial index can serve, keep the planner from walking the primary key through the whole table (payment_lists.py).
    """
    numbers = select(Refund.number).where(*conditions).limit(limit)
    if status == RefundStatus.PROCESSED:
        return numbers.where(Refund.status == status).order_by(Refund.number.desc())
    not_processed = Refund.status != literal_column("'processed'")
    has_status = Refund.status == any_(array([literal(status, Text)]))
    return numbers.where(has_status, not_processed).order_by(Refund.status.desc(), Refund.number.desc())


async def find_refund(session: AsyncSession, payment_id: int, refund_id: UUID) -> Refund | None:
    """Return a refund of a payment, or None."""
    query = select(Refund).where(Refund.payment_id == payment_id, Refund.id == refund_id)
    return (await session.execute(query)).scalar_one_or_none()
