"""The check right before a refund is sent, so that money is not paid back twice because of what happened after the refund was requested."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.money import format_money
from services.payments.models import Payment
from services.payments.refunds import chargebacks, lists, requests
from services.payments.refunds.models import Refund
from services.payments.refunds.status_changes import count_status
from services.payments.refunds.sync import lock_payment, log_error
from services.payments.statuses import RefundStatus

NOT_AT_PAYSTACK = frozenset({RefundStatus.REQUESTED, RefundStatus.FAILED})


async def may_be_sent(session: AsyncSession, payment_id: int, refund_id: UUID) -> bool:
    """Return True if a requested refund can be sent. Otherwise it fails, and an operator decides. Locks the payment.

    The refunds that Paystack lists for the charge must have been applied before (`sync_refunds`). A refund is not sent if another one that
    was not requested here was found after this one was requested: it may have paid back the same money. A refund is not sent either if its
    amount is greater than what can still be refunded.
    """
    payment = await lock_payment(session, payment_id)
    refunds = await lists.list_refunds(session, payment_id)
    refund = next(each for each in refunds if each.id == refund_id)
    if refund.status != RefundStatus.REQUESTED:
        return False  # an operator has closed it, or it failed because of a lost dispute
    problem = _find_problem(payment, refund, refunds)
    if problem is None:
        return True
    refund.status, refund.error, refund.next_attempt_at = RefundStatus.FAILED, problem, None
    await session.flush()
    count_status(session, RefundStatus.FAILED)
    log_error(session, "refund failed", payment, refund, problem)
    await chargebacks.record_pending_chargebacks(session, payment)
    return False


def _find_problem(payment: Payment, refund: Refund, refunds: Sequence[Refund]) -> str | None:
    """Return why a refund must not be sent, for the operator, or None."""
    currency = payment.paid_currency or payment.currency
    at_paystack = [each for each in refunds if each.status not in NOT_AT_PAYSTACK]
    made_elsewhere = sum(
        each.amount for each in at_paystack if each.requested_by == requests.PAYSTACK and each.number > refund.number
    )
    if made_elsewhere:
        return (
            f"Not sent: after this refund was requested, {format_money(made_elsewhere, currency)} of the payment was refunded "
            "on Paystack's dashboard or by Paystack itself. Check whether that refund replaces this one; if it does not, request "
            "this refund again."
        )
    left = payment.received - sum(each.amount for each in at_paystack)
    if refund.amount > left:
        return f"Not sent: only {format_money(max(left, 0), currency)} of the payment can still be refunded."
    return None
