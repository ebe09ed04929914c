"""Tells the shop again what became of payments: for a catalog that was restored from a backup older than what it had been told."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from kit import outbox
from services.payments import announcements
from services.payments.models import OutboxRow, Payment

BATCH = 500
PAID = ("succeeded", "partially_refunded", "refunded", "disputed")


async def tell_again(sessions: async_sessionmaker[AsyncSession], since: datetime) -> int:
    """Payments that changed since then, oldest first, a batch a transaction. How many it were.

    catalog goes by a payment's reference, so that whatever it knows already changes nothing.
    """
    told, last = 0, 0
    while True:
        some = (
            select(Payment)
            .where(
                Payment.id > last,
                Payment.updated_at >= since,
                Payment.status.in_(PAID),
                Payment.order_id.is_not(None),
            )
            .order_by(Payment.id)
            .limit(BATCH)
        )
        async with sessions.begin() as session:
            payments = (await session.execute(some)).scalars().all()
            if not payments:
                return told
            for payment in payments:
                paid = payment.paid_amount or payment.amount
                events = [
                    announcements.succeeded(payment, paid_amount=paid, channel=payment.channel, paid_at=payment.paid_at)
                ]
                if payment.refunded_amount > 0:
                    events.append(announcements.refunded(payment, payment.refunded_amount))
                await outbox.add(session, OutboxRow, *events)
        told, last = told + len(payments), payments[-1].id
