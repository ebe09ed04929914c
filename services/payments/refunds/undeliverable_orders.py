"""Refund payments of orders that cannot be delivered: the whole payment, once, automatically."""

from collections.abc import Sequence

import structlog
from pydantic import TypeAdapter
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.events import OrderUndeliverable, UndeliverableReason
from kit.observability.tracing import continue_trace
from services.payments.errors import NothingToRefund, PaymentNotFound
from services.payments.models import Payment
from services.payments.refunds import requests
from services.payments.refunds.models import Refund

EVENT_ADAPTER: TypeAdapter[OrderUndeliverable] = TypeAdapter(OrderUndeliverable)
REASONS = {
    UndeliverableReason.EXPIRED_AND_SOLD_OUT: "Your payment arrived after your order had expired, and the products are sold out",
    UndeliverableReason.CANCELLED: "Your order was cancelled before your payment arrived",
    UndeliverableReason.ALREADY_PAID: "Your order was already paid",
    UndeliverableReason.UNKNOWN_ORDER: "There is no order for this payment",
    UndeliverableReason.AMOUNT_DIFFERS: "Your payment is not the amount of your order",
}
"""The reason of the refund for each reason of the event. Paystack sends it to the payer."""

REQUESTED_BY = "catalog"
log = structlog.get_logger("refunds")


async def handle(session: AsyncSession, events: Sequence[OrderUndeliverable]) -> None:
    """Request a refund for the payment of each event.

    A payment gets only one automatic refund. If that refund failed at Paystack, an operator decides, because the operator may have paid the
    money back in another way. A payment that is already refunded gets no refund.
    """
    references = {event.data.reference for event in events}
    query = select(Payment.reference).join(Refund, Refund.payment_id == Payment.id)
    query = query.where(Payment.reference.in_(references), Refund.requested_by == REQUESTED_BY)
    refunded = set((await session.execute(query)).scalars())
    # Sorted by reference, so that concurrent runs of this handler lock payments in the same order.
    for event in sorted(events, key=lambda event: event.data.reference):
        with continue_trace(event.traceparent):
            await _refund(session, event, already_requested=event.data.reference in refunded)


async def _refund(session: AsyncSession, event: OrderUndeliverable, *, already_requested: bool) -> None:
    reference, order_id = event.data.reference, str(event.data.order_id)
    if already_requested:
        log.warning("refund of undeliverable order already requested", reference=reference, order_id=order_id)
        return
    reason = REASONS[event.data.reason]
    try:
        await requests.request_refund(session, reference, amount=None, reason=reason, requested_by=REQUESTED_BY)
    except (PaymentNotFound, NothingToRefund) as problem:
        log.warning(
            "refund of undeliverable order not requested", reference=reference, order_id=order_id, reason=str(problem)
        )
    else:
        log.warning("refund of undeliverable order requested", reference=reference, order_id=order_id, reason=reason)
