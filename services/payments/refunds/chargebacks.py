"""A lost dispute gives money back without our asking: it is written down as a refund by `paystack`, one for each dispute.

Paystack may list it among the transaction's refunds, where refunding.py finds it, before or after we hear of the dispute's end; or not at
all: then the transaction, once it is `reversed`, tells that the money is back.
"""

import structlog
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.payments.models import Dispute, Payment
from services.payments.paystack.disputes import PaystackDispute
from services.payments.refunds import requests
from services.payments.refunds.models import Refund, RefundStatus

FINAL = frozenset({RefundStatus.PROCESSED, RefundStatus.FAILED})
log = structlog.get_logger("disputes")


async def record_chargeback(session: AsyncSession, payment: Payment, dispute: Dispute, told: PaystackDispute) -> None:
    """Write the refund down where it is not yet, and its end where the transaction tells it. The payment is locked by the caller."""
    refund = await refund_of(session, dispute.id) or await _listed(session, payment, dispute)
    if refund is None and not await has_requested_refund(session, payment.id):
        refund = await _made(session, payment, dispute)
    if refund is None:
        return
    if refund.status not in FINAL and refund.paystack_id is None and told.transaction_status == "reversed":
        refund.status = RefundStatus.PROCESSED
    # Have the refunds of this payment looked at and added up.
    payment.refunds_next_attempt_at = func.now()
    payment.refunds_attempts = 0


async def record_pending_chargebacks(session: AsyncSession, payment: Payment) -> None:
    """A refund of ours was refused: what lost disputes have taken instead is known now. The payment is locked by the caller."""
    if await has_requested_refund(session, payment.id):
        return
    waiting = select(Dispute).where(Dispute.payment_id == payment.id, Dispute.lost.is_(True)).order_by(Dispute.id)
    for dispute in (await session.execute(waiting)).scalars().all():
        if await refund_of(session, dispute.id) or await _listed(session, payment, dispute):
            continue
        if await _made(session, payment, dispute):
            # Whether the money is back already, Paystack tells.
            dispute.next_attempt_at, dispute.attempts = func.now(), 0


async def has_requested_refund(session: AsyncSession, payment_id: int) -> bool:
    """Whether a refund of ours is on its way to Paystack: until it is taken or refused, nobody knows what was left for the dispute."""
    query = (
        select(Refund.number).where(Refund.payment_id == payment_id, Refund.status == RefundStatus.REQUESTED).limit(1)
    )
    return (await session.execute(query)).scalar_one_or_none() is not None


async def refund_of(session: AsyncSession, dispute_id: int) -> Refund | None:
    return (await session.execute(select(Refund).where(Refund.dispute_id == dispute_id))).scalar_one_or_none()


async def _listed(session: AsyncSession, payment: Payment, dispute: Dispute) -> Refund | None:
    """The one that Paystack has listed already, before we heard what it is for."""
    candidates = (
        select(Refund)
        .where(
            Refund.payment_id == payment.id,
            Refund.requested_by == "paystack",
            Refund.dispute_id.is_(None),
            Refund.amount == dispute.amount,
            Refund.status != RefundStatus.FAILED,
            Refund.created_at >= dispute.opened_at,
        )
        .order_by(Refund.number.desc())
        .limit(1)
    )
    refund = (await session.execute(candidates)).scalar_one_or_none()
    if refund is not None:
        refund.dispute_id = dispute.id
    return refund


async def _made(session: AsyncSession, payment: Payment, dispute: Dispute) -> Refund | None:
    if payment.paid_amount is None:
        return None
    left = payment.paid_amount - await requests.refunded_or_pending(session, payment.id)
    amount = left if dispute.amount is None else min(dispute.amount, left)
    if amount <= 0:
        log.warning("a lost dispute about money that went back before", dispute=dispute.id, reference=payment.reference)
        return None
    refund = Refund(
        payment_id=payment.id,
        dispute_id=dispute.id,
        amount=amount,
        currency=payment.paid_currency or payment.currency,
        status=RefundStatus.PENDING,
        reason=f"dispute {dispute.resolution or 'lost'}",
        requested_by="paystack",
    )
    session.add(refund)
    await session.flush()
    return refund
