"""Chargebacks: money that the bank took back after a lost dispute. Each is recorded as a refund that was requested by `paystack`.

Paystack may list a chargeback among the refunds of the transaction, before or after we know that the dispute is lost; sync.py then applies
it. If Paystack does not list it, the status `reversed` of the transaction shows that the money was taken back.
"""

import structlog
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from kit.db.after_commit import after_commit
from kit.observability.tracing import continue_trace
from services.payments.models import Dispute, Payment
from services.payments.paystack.disputes import PaystackDispute
from services.payments.refunds import requests
from services.payments.refunds.models import FINAL, Refund
from services.payments.refunds.requests import NOT_SENT_SOON
from services.payments.refunds.status_changes import count_status
from services.payments.statuses import RefundStatus

NOT_SENT_AGAIN = "Paystack refused the refund, and it is not sent again: the bank took money back after a lost dispute."
log = structlog.get_logger("disputes")


async def record_chargeback(
    session: AsyncSession, payment: Payment, dispute: Dispute, reported: PaystackDispute
) -> None:
    """Record the chargeback of a lost dispute, and set it to processed if its transaction is reversed. The caller has locked the payment.

    While Paystack has not accepted a requested refund, nothing is recorded: the amount that is left for the chargeback depends on whether
    Paystack accepts that refund. A refund that Paystack refused is not sent again: the bank has paid the money back.
    """
    refund = await find_chargeback(session, dispute.id)
    if refund is None:
        await _fail_refused_refunds(session, payment)
        refund = await _link_listed_refund(session, payment, dispute)
        if refund is None and not await has_requested_refund(session, payment.id):
            refund = await _create_chargeback(session, payment, dispute)
    if refund is None:
        return
    if refund.status not in FINAL and refund.paystack_id is None and reported.transaction_status == "reversed":
        refund.status = RefundStatus.PROCESSED
        count_status(session, refund.status)
    # The refund executor then updates the refunded amount, the ledger and the payment's status.
    payment.refunds_next_attempt_at = func.now()
    payment.refunds_attempts = 0


async def record_pending_chargebacks(session: AsyncSession, payment: Payment) -> None:
    """Record the chargebacks that waited for the result of a requested refund. The caller has locked the payment."""
    lost = select(Dispute).where(Dispute.payment_id == payment.id, Dispute.lost.is_(True)).order_by(Dispute.id)
    disputes = [
        dispute
        for dispute in (await session.execute(lost)).scalars().all()
        if await find_chargeback(session, dispute.id) is None
    ]
    if disputes:
        await _fail_refused_refunds(session, payment)
    if await has_requested_refund(session, payment.id):
        return
    for dispute in disputes:
        if await _link_listed_refund(session, payment, dispute):
            continue
        if await _create_chargeback(session, payment, dispute):
            # The poll shows whether the money was already taken back.
            dispute.next_attempt_at, dispute.attempts = func.now(), 0


async def has_requested_refund(session: AsyncSession, payment_id: int) -> bool:
    """Return True if a refund has the status `requested`: Paystack has not accepted it yet, so the remaining amount is unknown."""
    query = (
        select(Refund.number).where(Refund.payment_id == payment_id, Refund.status == RefundStatus.REQUESTED).limit(1)
    )
    return (await session.execute(query)).scalar_one_or_none() is not None


async def _fail_refused_refunds(session: AsyncSession, payment: Payment) -> None:
    """Fail the refunds that Paystack refused and that are not sent again soon. One that is due may be on its way to Paystack now."""
    waiting = Refund.payment_id == payment.id, NOT_SENT_SOON
    failed = (
        update(Refund).where(*waiting).values(status=RefundStatus.FAILED, next_attempt_at=None, error=NOT_SENT_AGAIN)
    )
    failed = failed.returning(Refund.id).execution_options(synchronize_session="fetch")
    for refund_id in (await session.execute(failed)).scalars():
        count_status(session, RefundStatus.FAILED)
        with continue_trace(payment.traceparent):
            fields = {**requests.log_fields(payment), "refund": str(refund_id), "reason": NOT_SENT_AGAIN}
            after_commit(session, log.error, "refund failed", **fields)


async def find_chargeback(session: AsyncSession, dispute_id: int) -> Refund | None:
    """Return the chargeback that is recorded for a dispute, or None."""
    return (await session.execute(select(Refund).where(Refund.dispute_id == dispute_id))).scalar_one_or_none()


async def _link_listed_refund(session: AsyncSession, payment: Payment, dispute: Dispute) -> Refund | None:
    """Find the refund that Paystack listed before the dispute was known to be lost, and link it to the dispute."""
    candidates = (
        select(Refund)
        .where(
            Refund.payment_id == payment.id,
            Refund.requested_by == requests.PAYSTACK,
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


async def _create_chargeback(session: AsyncSession, payment: Payment, dispute: Dispute) -> Refund | None:
    """Create the chargeback of a lost dispute: the disputed amount, at most what is left of the payment. Return None if nothing is left."""
    if payment.paid_amount is None:
        return None
    left = payment.paid_amount - await requests.refunded_or_unfinished_amount(session, payment.id)
    amount = left if dispute.amount is None else min(dispute.amount, left)
    if amount <= 0:
        with continue_trace(payment.traceparent):
            after_commit(
                session,
                log.warning,
                "chargeback not recorded: payment already refunded",
                **requests.log_fields(payment),
                dispute=dispute.id,
            )
        return None
    refund = Refund(
        payment_id=payment.id,
        dispute_id=dispute.id,
        amount=amount,
        currency=payment.paid_currency or payment.currency,
        status=RefundStatus.PENDING,
        reason=f"dispute {dispute.resolution or 'lost'}",
        requested_by=requests.PAYSTACK,
    )
    session.add(refund)
    await session.flush()
    count_status(session, refund.status)
    return refund
