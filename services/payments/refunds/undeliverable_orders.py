"""Money for an order that cannot be delivered is given back: all of it, once, by itself."""

from collections.abc import Sequence

import structlog
from pydantic import TypeAdapter
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.events import OrderUndeliverable
from services.payments.errors import NothingToRefund, PaymentNotFound
from services.payments.models import Payment
from services.payments.refunds import requests
from services.payments.refunds.models import Refund

EVENTS: TypeAdapter[OrderUndeliverable] = TypeAdapter(OrderUndeliverable)
REASONS = {
    "expired_and_sold_out": "The payment came after the order had expired, and what was ordered is sold out",
    "cancelled": "The order was cancelled before the payment came",
    "already_paid": "The order was paid already",
    "unknown_order": "The order that this payment is for does not exist",
    "amount_differs": "The payment is not of the order's amount",
}
"""What the payer reads."""

BY = "catalog"
log = structlog.get_logger("undeliverable")


async def handle(session: AsyncSession, events: Sequence[OrderUndeliverable]) -> None:
    """Told twice, or after a person has given it back, it changes nothing: then there is nothing left to refund.

    Nor after Paystack has failed it: that is a person's to see to, who may have given the money back by another way.
    """
    references = sorted({event.data.reference for event in events})
    asked = select(Payment.reference).join(Refund, Refund.payment_id == Payment.id)
    asked = asked.where(Payment.reference.in_(references), Refund.requested_by == BY)
    known = set((await session.execute(asked)).scalars())
    for event in sorted(events, key=lambda event: event.data.reference):  # one order of locks for everybody
        reason = REASONS[event.data.reason]
        if event.data.reference in known:
            log.warning("told again that an order cannot be delivered", reference=event.data.reference)
            continue
        try:
            await requests.request_refund(session, event.data.reference, amount=None, reason=reason, requested_by=BY)
        except (PaymentNotFound, NothingToRefund) as nothing:
            log.warning("nothing to refund", reference=event.data.reference, reason=str(nothing))
        else:
            log.warning("paid order cannot be delivered, refunding", reference=event.data.reference, reason=reason)
