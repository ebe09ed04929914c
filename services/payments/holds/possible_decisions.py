"""What an operator can decide about a held payment, and the amounts for the decision."""

from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.money import fraction_rule_broken_by
from contracts.reasons import HeldReason
from services.payments.models import Payment
from services.payments.refunds.models import Refund
from services.payments.schemas import HeldDecision, HeldReview
from services.payments.settings import settings
from services.payments.statuses import PaymentStatus, RefundStatus

ACCEPTABLE = frozenset({HeldReason.AMOUNT_DIFFERS, HeldReason.CURRENCY_DIFFERS, HeldReason.MODE_DIFFERS})
"""An operator can accept a payment that is held for one of these reasons."""


def difference(payment: Payment, refunding: int = 0) -> int | None:
    """Return how much more was received than the order costs, in subunits, negative if it is less. Refunded money does not count.

    `refunding`: the sum of the unfinished refunds. None without an order, or if the payment was made in another currency.
    """
    if payment.order_id is None or payment.paid_currency != payment.currency:
        return None
    return payment.refundable - refunding - payment.amount


def is_acceptable(payment: Payment, *, all_refunds_failed: bool) -> bool:
    """Return True if a held payment can be accepted. `all_refunds_failed`: it has refunds, and all of them failed."""
    return payment.held_reason in ACCEPTABLE or (payment.held_reason == HeldReason.REVERSED and all_refunds_failed)


def review_of(payment: Payment, refunding: int, *, all_refunds_failed: bool) -> HeldReview:
    """Return the amounts of a held payment and the decisions that are possible now. `refunding`: the sum of its unfinished refunds."""
    received, more = payment.refundable - refunding, difference(payment, refunding)
    decisions = []
    if refunding == 0 and is_acceptable(payment, all_refunds_failed=all_refunds_failed):
        decisions.append(HeldDecision.ACCEPT)
        if more is not None and more > 0 and fraction_rule_broken_by(more, payment.currency) is None:
            decisions.append(HeldDecision.REFUND_DIFFERENCE)
    in_our_mode = payment.domain == settings.mode
    if refunding == 0 and in_our_mode and payment.held_reason == HeldReason.UNKNOWN_REFERENCE:
        decisions.append(HeldDecision.BIND)
    if received > 0:
        decisions.append(HeldDecision.REFUND_ALL)
    return HeldReview(
        expected=payment.amount if payment.order_id is not None else None,
        received=received,
        received_currency=payment.paid_currency or payment.currency,
        difference=more,
        decisions=decisions,
    )


async def reviews(
    session: AsyncSession, payments: Sequence[Payment], refunding: Mapping[int, int]
) -> dict[int, HeldReview]:
    """Return the reviews of those of the payments that are held, by id. `refunding`: the sums of unfinished refunds by id."""
    held = [payment for payment in payments if payment.status == PaymentStatus.HELD]
    reversed_ids = [payment.id for payment in held if payment.held_reason == HeldReason.REVERSED]
    statuses: dict[int, set[RefundStatus]] = {}
    if reversed_ids:
        query = select(Refund.payment_id, Refund.status).where(Refund.payment_id.in_(reversed_ids))
        for payment_id, status in await session.execute(query):
            statuses.setdefault(payment_id, set()).add(status)
    return {
        payment.id: review_of(
            payment,
            refunding.get(payment.id, 0),
            all_refunds_failed=statuses.get(payment.id) == {RefundStatus.FAILED},
        )
        for payment in held
    }
