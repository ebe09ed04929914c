"""Refunds: asked for here at once, carried out at Paystack in days, followed to the end.

    requested ──► pending ──► processing ──► processed          payment: partially_refunded, then refunded
                                        └──► failed             the money stays; another refund may be asked for
                                        └──► needs-attention    Paystack needs the payer's account: retry with it

`requested` is ours: not told to Paystack yet. The other words are Paystack's.
"""

from collections.abc import Sequence
from uuid import UUID, uuid4

from sqlalchemy import case, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.payments.errors import NothingToRefund, PaymentNotFound, ReasonNeeded, RefundTooLarge
from services.payments.models import UNPAID, Payment, PaymentStatus
from services.payments.refunds.models import Refund, RefundStatus

UNFINISHED = (
    RefundStatus.REQUESTED,
    RefundStatus.PENDING,
    RefundStatus.PROCESSING,
    RefundStatus.NEEDS_ATTENTION,
)
REFUNDABLE = frozenset(
    {PaymentStatus.SUCCEEDED, PaymentStatus.PARTIALLY_REFUNDED, PaymentStatus.HELD, PaymentStatus.DISPUTED}
)
FAILED_AUTOMATIC_REFUND = (
    (Refund.status == RefundStatus.FAILED)
    & (Refund.requested_by == "catalog")
    & (Payment.refunded_amount < Payment.paid_amount)
)
"""Of refunds joined with their payments: what should have gone back by itself and did not. Nobody else would miss it."""


async def request_refund(
    session: AsyncSession, reference: str, *, amount: int | None, reason: str | None, requested_by: str
) -> Refund:
    """Ask for a refund: `amount` subunits, or all that is left. The payment's row lock makes the sum of all refunds safe.

    Raises PaymentNotFound, NothingToRefund, ReasonNeeded, RefundTooLarge.
    """
    found = await session.execute(select(Payment).where(Payment.reference == reference).with_for_update())
    payment = found.scalar_one_or_none()
    if payment is None:
        raise PaymentNotFound
    left = payment.received - await refunded_or_pending(session, payment.id)
    if payment.status not in REFUNDABLE or left <= 0:
        raise NothingToRefund(f"The payment is {payment.status}, and {max(left, 0)} subunits of it are left.")
    if payment.status == PaymentStatus.HELD and reason is None:
        raise ReasonNeeded
    if amount is not None and amount > left:
        raise RefundTooLarge(f"{left} subunits are left of this payment.", left=left)
    refund = Refund(
        id=uuid4(),
        payment_id=payment.id,
        amount=amount or left,
        currency=payment.paid_currency or payment.currency,
        reason=reason,
        requested_by=requested_by,
    )
    session.add(refund)
    payment.refunds_next_attempt_at = func.now()
    await session.flush()
    return refund


async def list_refunds(session: AsyncSession, payment_id: int) -> Sequence[Refund]:
    """Oldest first."""
    found = await session.execute(select(Refund).where(Refund.payment_id == payment_id).order_by(Refund.number))
    return found.scalars().all()


async def schedule_sync(session: AsyncSession, references: Sequence[str]) -> None:
    """A notice told of refunds of these payments: look at Paystack soon. What the notice itself says is not believed.

    Where we have not heard that it was paid, ask about that first: only what was paid goes back.
    """
    if not references:
        return
    unpaid, listed = Payment.status.in_(UNPAID), Payment.paystack_id.is_not(None)
    due = (
        update(Payment)
        .where(Payment.reference.in_(references), unpaid | listed)
        .values(
            refunds_next_attempt_at=func.now(),
            status=case((unpaid, PaymentStatus.PENDING), else_=Payment.status),
            verify_next_attempt_at=case((unpaid, func.now()), else_=Payment.verify_next_attempt_at),
        )
    )
    await session.execute(due)


async def find_refund(session: AsyncSession, payment_id: int, refund_id: UUID) -> Refund | None:
    query = select(Refund).where(Refund.payment_id == payment_id, Refund.id == refund_id)
    return (await session.execute(query)).scalar_one_or_none()


async def pending_amounts(session: AsyncSession, payment_ids: Sequence[int]) -> dict[int, int]:
    """Subunits that are to go back and have not yet, by payment."""
    unfinished = Refund.payment_id.in_(payment_ids), Refund.status.in_(UNFINISHED)
    sums = select(Refund.payment_id, func.sum(Refund.amount)).where(*unfinished).group_by(Refund.payment_id)
    return {payment_id: int(amount) for payment_id, amount in await session.execute(sums)}


async def refunded_or_pending(session: AsyncSession, payment_id: int) -> int:
    """Subunits that were given back or are on their way."""
    query = select(func.coalesce(func.sum(Refund.amount), 0)).where(
        Refund.payment_id == payment_id, Refund.status != RefundStatus.FAILED
    )
    return int((await session.execute(query)).scalar_one())
