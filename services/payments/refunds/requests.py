"""Request refunds, close them, and schedule their synchronization. The refund executor sends them to Paystack in the background.

    requested ──► requested                                     refused because our balance is too low, for example: sent again later
              ──► failed                                        refused for good, or too often
              ──► pending ──► processing ──► processed          payment: partially_refunded or refunded
                                        └──► failed             the payer has not got the money; another refund can be requested
                                        └──► needs-attention    Paystack needs the payer's bank account: retry with it

`requested` is ours: Paystack has not accepted the refund yet. The other words are Paystack's.
"""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID, uuid4

import structlog
from sqlalchemy import (
    case,
    func,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.money import format_money, fraction_rule_broken_by
from kit.audit import entries as audit
from kit.audit.actor import Actor
from kit.db.after_commit import after_commit
from kit.observability.tracing import continue_trace
from services.payments.errors import (
    NothingToRefund,
    PaymentNotFound,
    PaymentStatusChanged,
    ReasonNeeded,
    RefundNotFailed,
    RefundNotFound,
    RefundNotWhole,
    RefundTooLarge,
)
from services.payments.models import PAID_NOT_FULLY_REFUNDED, UNPAID, AuditLogEntry, Payment
from services.payments.refunds.models import Refund
from services.payments.refunds.status_changes import count_status
from services.payments.statuses import PaymentStatus, RefundStatus

PAYSTACK = "paystack"
"""`requested_by` of a refund that was not requested here: it was made on Paystack's dashboard, or by Paystack itself."""

UNFINISHED = (
    RefundStatus.REQUESTED,
    RefundStatus.PENDING,
    RefundStatus.PROCESSING,
    RefundStatus.NEEDS_ATTENTION,
)
UNRESOLVED_FAILURE = (
    (Refund.status == RefundStatus.FAILED)
    & Refund.closed_by.is_(None)
    & (Payment.refunded_amount < Payment.paid_amount)
)
"""Condition on refunds joined with payments: the refund failed, no matter who requested it, and an operator has to act.

It ends when the whole payment is refunded, or when an operator closes the refund.
"""

NEEDS_OPERATOR = (Refund.status == RefundStatus.NEEDS_ATTENTION) | UNRESOLVED_FAILURE
"""Condition on refunds joined with payments: the refund waits for the payer's bank account, or failed."""

REFUSED = (Refund.status == RefundStatus.REQUESTED) & Refund.next_attempt_at.is_not(None)
"""Condition: Paystack refused the refund, and it is sent again later."""

SOON = timedelta(minutes=5)
"""Longer than the refund executor needs to send a refund that is due."""

NOT_SENT_SOON = REFUSED & (Refund.next_attempt_at > func.now() + SOON)
"""Condition: Paystack refused the refund, and it is certainly not on its way to Paystack now."""

log = structlog.get_logger("refunds")


async def request_refund(
    session: AsyncSession,
    reference: str,
    *,
    amount: int | None,
    reason: str | None,
    requested_by: str,
    expected_status: PaymentStatus | None = None,
) -> Refund:
    """Request a refund of `amount` subunits, or of everything that can be refunded.

    Locks the payment, so that concurrent requests cannot refund more than was paid. `expected_status`: refuse the refund if the payment has
    another status. Raises PaymentNotFound, PaymentStatusChanged, NothingToRefund, ReasonNeeded, RefundTooLarge, RefundNotWhole.
    """
    payment = await _lock_payment(session, reference, expected_status)
    currency = payment.paid_currency or payment.currency
    left = payment.received - await refunded_or_unfinished_amount(session, payment.id)
    _check_refundable(payment, currency, left, amount, reason)
    refund = Refund(
        id=uuid4(),
        payment_id=payment.id,
        amount=amount or left,
        currency=currency,
        reason=reason,
        requested_by=requested_by,
    )
    session.add(refund)
    payment.refunds_next_attempt_at = func.now()
    await session.flush()
    count_status(session, refund.status)
    with continue_trace(payment.traceparent):
        after_commit(
            session,
            log.info,
            "refund requested",
            **log_fields(payment),
            refund=str(refund.id),
            amount=format_money(refund.amount, currency),
            by=requested_by,
        )
    return refund


async def _lock_payment(session: AsyncSession, reference: str, expected_status: PaymentStatus | None) -> Payment:
    """Lock and return the payment. Raises PaymentNotFound; PaymentStatusChanged if it has another status than the expected one."""
    found = await session.execute(select(Payment).where(Payment.reference == reference).with_for_update())
    payment = found.scalar_one_or_none()
    if payment is None:
        raise PaymentNotFound
    if expected_status not in {None, payment.status}:
        raise PaymentStatusChanged(
            f"The payment is {payment.status} now, not {expected_status}: get the payment again, then decide anew.",
            payment_status=payment.status,
        )
    return payment


def _check_refundable(payment: Payment, currency: str, left: int, amount: int | None, reason: str | None) -> None:
    """Check a request for a refund. `left`: the subunits that can still be refunded. `amount`: None if all of them are requested.

    Raises NothingToRefund, ReasonNeeded, RefundTooLarge, RefundNotWhole.
    """
    if payment.status not in PAID_NOT_FULLY_REFUNDED or left <= 0:
        raise NothingToRefund(
            f"The payment is {payment.status} and {format_money(max(left, 0), currency)} of it can be refunded: "
            f"list its refunds with GET /payments/{payment.reference}/refunds."
        )
    if payment.status == PaymentStatus.HELD and reason is None:
        raise ReasonNeeded
    if amount is not None and amount > left:
        raise RefundTooLarge(
            f"The amount is greater than the refundable amount: request at most {format_money(left, currency)}.",
            left=left,
        )
    if amount is not None and (broken_rule := fraction_rule_broken_by(amount, currency)) is not None:
        raise RefundNotWhole(f"The amount cannot be refunded: {broken_rule}.")


async def request_refund_as_operator(
    session: AsyncSession,
    actor: Actor,
    reference: str,
    *,
    amount: int | None,
    reason: str | None,
    expected_status: PaymentStatus | None = None,
) -> Refund:
    """Request a refund for an operator, and record it in the audit log. Otherwise like `request_refund`."""
    refund = await request_refund(
        session, reference, amount=amount, reason=reason, requested_by=actor.id, expected_status=expected_status
    )
    after = {"refund": str(refund.id), "amount": refund.amount, "currency": refund.currency}
    await audit.record(session, AuditLogEntry, actor, "refund.requested", reference, after=after, reason=reason)
    return refund


def log_fields(payment: Payment) -> dict[str, str | None]:
    """Return the fields that log lines about the refunds of a payment have in common."""
    return {"reference": payment.reference, "order_id": str(payment.order_id) if payment.order_id else None}


async def close_refund(session: AsyncSession, refund_id: UUID, actor: Actor, reason: str) -> Refund:
    """Close a failed refund, because an operator has dealt with it: its money was paid back in another way, or is requested again.

    A refund that Paystack refused, and whose next attempt is more than five minutes away, fails and is closed too. Locks the payment.
    Raises RefundNotFound, RefundNotFailed.
    """
    payment_id = select(Refund.payment_id).where(Refund.id == refund_id)
    await session.execute(select(Payment.id).where(Payment.id.in_(payment_id)).with_for_update())
    query = select(Refund, NOT_SENT_SOON).where(Refund.id == refund_id).with_for_update()
    row = (await session.execute(query)).one_or_none()
    if row is None:
        raise RefundNotFound("There is no refund with this id.")
    refund, not_sent_soon = row
    if refund.closed_by is not None:
        raise RefundNotFailed(f"The refund is closed already, by {refund.closed_by}.")
    if refund.status != RefundStatus.FAILED and not not_sent_soon:
        raise RefundNotFailed(
            f"The refund is {refund.status}: only a failed refund, or one that Paystack refused and whose next attempt is more than "
            "five minutes away, can be closed." + (" Try again later." if refund.status in UNFINISHED else "")
        )
    before = {"status": refund.status}
    refund.status, refund.next_attempt_at = RefundStatus.FAILED, None
    refund.closed_by, refund.closed_reason = actor.id, reason
    await session.flush()
    if before["status"] != refund.status:
        count_status(session, refund.status)
    after = {"status": refund.status, "amount": refund.amount, "currency": refund.currency}
    await audit.record(
        session, AuditLogEntry, actor, "refund.closed", refund.id, before=before, after=after, reason=reason
    )
    after_commit(session, log.warning, "refund closed", refund=str(refund.id), by=actor.id, reason=reason)
    return refund


async def schedule_sync(session: AsyncSession, references: Sequence[str]) -> set[str]:
    """Make the refunds of these payments due for a sync with Paystack, for example after a webhook event about a refund.

    Return the references of the payments that exist.
    A payment that is not known to be paid becomes pending and due for verification: its refunds are synced only after it is settled.
    """
    if not references:
        return set()
    unpaid = Payment.status.in_(UNPAID)
    due = (
        update(Payment)
        .where(Payment.reference.in_(references))
        .values(
            refunds_next_attempt_at=func.now(),
            status=case((unpaid, PaymentStatus.PENDING), else_=Payment.status),
            verify_next_attempt_at=case((unpaid, func.now()), else_=Payment.verify_next_attempt_at),
        )
    )
    return set((await session.execute(due.returning(Payment.reference))).scalars())


async def unfinished_amounts(session: AsyncSession, payment_ids: Sequence[int]) -> dict[int, int]:
    """Return the sum of the unfinished refunds of each payment, in subunits. Payments without one are left out."""
    unfinished = Refund.payment_id.in_(payment_ids), Refund.status.in_(UNFINISHED)
    sums = select(Refund.payment_id, func.sum(Refund.amount)).where(*unfinished).group_by(Refund.payment_id)
    return {payment_id: int(amount) for payment_id, amount in await session.execute(sums)}


async def refunded_or_unfinished_amount(session: AsyncSession, payment_id: int) -> int:
    """Return the sum of all refunds of a payment that have not failed, in subunits."""
    query = select(func.coalesce(func.sum(Refund.amount), 0)).where(
        Refund.payment_id == payment_id, Refund.status != RefundStatus.FAILED
    )
    return int((await session.execute(query)).scalar_one())
