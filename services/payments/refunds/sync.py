"""Apply Paystack's reports about the refunds of a payment: refund status, ledger, payment status and the event payment.refunded."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import uuid4

import structlog
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.money import format_money
from kit.db.after_commit import after_commit
from kit.messaging import outbox
from kit.observability.tracing import continue_trace
from kit.worker.backoff import Backoff
from services.payments import events
from services.payments.ledger import journal, movements
from services.payments.models import OutboxRow, Payment
from services.payments.paystack.errors import Refused
from services.payments.paystack.refunds import PaystackRefund, is_permanent
from services.payments.refunds import chargebacks
from services.payments.refunds.models import FINAL, Refund
from services.payments.refunds.requests import PAYSTACK, log_fields
from services.payments.refunds.status_changes import count_refusal, count_status
from services.payments.settings import settings
from services.payments.statuses import PaymentStatus, RefundStatus

PAYSTACK_STATUSES = frozenset(RefundStatus) - {RefundStatus.REQUESTED}
REFUSAL_BACKOFF = Backoff(first=3600, longest=12 * 3600)
MAX_REFUSALS = 12
"""With REFUSAL_BACKOFF, a refund is sent again for three and a half days. New payments, or an operator, can raise the balance meanwhile."""

FAILED_AT_PAYSTACK = "Paystack accepted the refund, and it failed there: the payer has not got the money."
ACCOUNT_NEEDED = (
    "Paystack cannot return the money to the card or account that paid: send the refund to a bank account of the payer."
)
log = structlog.get_logger("refunds")


def merchant_note(refund: Refund) -> str:
    """Return the `merchant_note` that we send with a refund. It identifies the refund in Paystack's list."""
    return f"refund {refund.id}"


async def sync_refunds(session: AsyncSession, payment_id: int, reported: Sequence[PaystackRefund]) -> None:
    """Apply refunds that Paystack reports for a payment: all of them, or some. Locks the payment."""
    payment = await lock_payment(session, payment_id)
    refunds = (await session.execute(select(Refund).where(Refund.payment_id == payment_id))).scalars().all()
    with continue_trace(payment.traceparent):
        for paystack_refund in reported:
            _apply_refund(session, payment, refunds, paystack_refund)
        await session.flush()
        await _apply_total(session, payment)


async def record_refusal(session: AsyncSession, refund: Refund, refusal: Refused) -> None:
    """Record that Paystack refused a refund: it is sent again later, or fails if the refusal is permanent or one of too many.

    Locks the payment first: recording a chargeback counts requested refunds under the same lock.
    """
    payment = await lock_payment(session, refund.payment_id)
    attempts = refund.attempts + 1
    error = f"Paystack refused the refund: {(refusal.message or str(refusal))[:400].rstrip('.')}."
    refused = update(Refund).where(Refund.id == refund.id, Refund.status == RefundStatus.REQUESTED)
    count_refusal(session)
    if is_permanent(refusal) or attempts >= MAX_REFUSALS:
        if attempts > 1:
            error += f" It was refused {attempts} times and is not sent again."
        failed = refused.values(status=RefundStatus.FAILED, error=error, attempts=attempts, next_attempt_at=None)
        await session.execute(failed)
        count_status(session, RefundStatus.FAILED)
        log_error(session, "refund failed", payment, refund, str(refusal))
    else:
        pause = timedelta(seconds=REFUSAL_BACKOFF.seconds(refund.attempts))
        error += f" It is sent again later, until it was refused {MAX_REFUSALS} times; refusals so far: {attempts}."
        await session.execute(refused.values(attempts=attempts, next_attempt_at=func.now() + pause, error=error))
        with continue_trace(payment.traceparent):
            after_commit(
                session,
                log.warning,
                "refund refused",
                **log_fields(payment),
                refund=str(refund.id),
                reason=str(refusal)[:200],
                attempts=attempts,
                sent_again_in_seconds=round(pause.total_seconds()),
            )
    await chargebacks.record_pending_chargebacks(session, payment)


async def lock_payment(session: AsyncSession, payment_id: int) -> Payment:
    """Lock a payment before its refunds are read or changed."""
    return (await session.execute(select(Payment).where(Payment.id == payment_id).with_for_update())).scalar_one()


def _apply_refund(session: AsyncSession, payment: Payment, refunds: Sequence[Refund], reported: PaystackRefund) -> None:
    refund = _find_refund(refunds, reported)
    if refund is None:
        # The refund was made on Paystack's dashboard, or by Paystack itself. It is recorded, because the payer gets the money.
        refund = Refund(
            id=uuid4(),
            payment_id=payment.id,
            amount=reported.amount,
            currency=payment.paid_currency,
            requested_by=PAYSTACK,
        )
        session.add(refund)
    if refund.status in FINAL and refund.paystack_id is not None:
        return
    status = RefundStatus(reported.status) if reported.status in PAYSTACK_STATUSES else RefundStatus.PENDING
    if refund.status != status:
        count_status(session, status)
        if status == RefundStatus.FAILED:
            log_error(session, "refund failed", payment, refund, "failed at Paystack")
        elif status == RefundStatus.NEEDS_ATTENTION:
            log_error(
                session,
                "refund needs attention",
                payment,
                refund,
                "Paystack needs the number of the payer's bank account",
            )
    refund.paystack_id, refund.status, refund.next_attempt_at = reported.id, status, None
    if status != RefundStatus.FAILED:
        refund.closed_by = refund.closed_reason = None  # it counted as failed here, but Paystack has accepted it
    refund.error = {RefundStatus.FAILED: FAILED_AT_PAYSTACK, RefundStatus.NEEDS_ATTENTION: ACCOUNT_NEEDED}.get(status)


def _find_refund(refunds: Sequence[Refund], reported: PaystackRefund) -> Refund | None:
    """Return our row of a reported refund. Compare Paystack's ids, then the notes, then the amounts of chargebacks without an id."""
    for refund in refunds:
        if refund.paystack_id == reported.id:
            return refund
    unlinked = [refund for refund in refunds if refund.paystack_id is None]
    for refund in unlinked:
        if reported.note and merchant_note(refund) == reported.note:
            return refund
    # A chargeback can be recorded here before Paystack lists it.
    for refund in unlinked:
        if refund.dispute_id is not None and refund.amount == reported.amount:
            return refund
    return None


async def _apply_total(session: AsyncSession, payment: Payment) -> None:
    """Record processed refunds in the ledger. If their total has grown, update the payment and publish payment.refunded."""
    query = select(Refund).where(Refund.payment_id == payment.id, Refund.status == RefundStatus.PROCESSED)
    processed = (await session.execute(query)).scalars().all()
    await journal.record(
        session,
        [movements.refunded(payment, refund.id, refund.amount, refund.currency, settings.mode) for refund in processed],
    )
    total = sum(refund.amount for refund in processed)
    if total <= payment.refunded_amount:
        return
    payment.refunded_amount = total
    if payment.refundable <= 0:
        payment.status = PaymentStatus.REFUNDED
    elif payment.status not in {PaymentStatus.DISPUTED, PaymentStatus.HELD}:
        # The remaining amount of a held payment is still held: an operator decides about it.
        payment.status = PaymentStatus.PARTIALLY_REFUNDED
    after_commit(
        session,
        log.info,
        "payment refunded",
        **log_fields(payment),
        refunded=format_money(total, payment.paid_currency or payment.currency),
        status=payment.status,
    )
    if payment.order_id is not None:
        await outbox.add(session, OutboxRow, events.refunded(payment, total))


def log_error(session: AsyncSession, message: str, payment: Payment, refund: Refund, reason: str) -> None:
    """Log, after the commit, that an operator has to look at a refund."""
    with continue_trace(payment.traceparent):
        after_commit(
            session,
            log.error,
            message,
            **log_fields(payment),
            refund=str(refund.id),
            amount=format_money(refund.amount, refund.currency or payment.currency),
            reason=reason,
        )
