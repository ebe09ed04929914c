"""Money for an order that cannot be delivered: the payment is held, with the reason, until a person gives it back."""

from collections.abc import Sequence

import structlog
from pydantic import TypeAdapter
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.events import OrderUndeliverable
from services.payments.models import Payment

EVENTS: TypeAdapter[OrderUndeliverable] = TypeAdapter(OrderUndeliverable)
log = structlog.get_logger("undeliverable")


async def handle(session: AsyncSession, events: Sequence[OrderUndeliverable]) -> None:
    """Told twice, or after a person has decided, it changes nothing."""
    for event in sorted(events, key=lambda event: event.data.reference):  # one order of locks for everybody
        held = (
            update(Payment)
            .where(Payment.reference == event.data.reference, Payment.status == "succeeded")
            .values(status="held", held_reason=f"order_{event.data.reason}")
            .returning(Payment.id)
            .execution_options(synchronize_session=False)
        )
        if (await session.execute(held)).scalar_one_or_none() is not None:
            log.error("paid order cannot be delivered", reference=event.data.reference, reason=event.data.reason)
