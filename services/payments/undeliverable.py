"""Money for an order that cannot be delivered is given back: all of it, once, by itself."""

from collections.abc import Sequence

import structlog
from pydantic import TypeAdapter
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.events import OrderUndeliverable
from services.payments import refunds
from services.payments.errors import NothingToRefund, PaymentNotFound

EVENTS: TypeAdapter[OrderUndeliverable] = TypeAdapter(OrderUndeliverable)
REASONS = {
    "expired_and_sold_out": "The payment came after the order had expired, and what was ordered is sold out",
    "cancelled": "The order was cancelled before the payment came",
    "already_paid": "The order was paid already",
    "unknown_order": "The order that this payment is for does not exist",
    "amount_differs": "The payment is not of the order's amount",
}
"""What the payer reads."""

log = structlog.get_logger("undeliverable")


async def handle(session: AsyncSession, events: Sequence[OrderUndeliverable]) -> None:
    """Told twice, or after a person has given it back, it changes nothing: then there is nothing left to refund."""
    for event in sorted(events, key=lambda event: event.data.reference):  # one order of locks for everybody
        reason = REASONS[event.data.reason]
        try:
            await refunds.request(session, event.data.reference, amount=None, reason=reason, requested_by="catalog")
        except (PaymentNotFound, NothingToRefund) as nothing:
            log.warning("nothing to refund", reference=event.data.reference, reason=str(nothing))
        else:
            log.warning("paid order cannot be delivered, refunding", reference=event.data.reference, reason=reason)
