"""Set payments to abandoned, and publish that they were."""

from sqlalchemy import Update
from sqlalchemy.ext.asyncio import AsyncSession

from kit.messaging import outbox
from services.payments import events as payment_events
from services.payments.models import OutboxRow, Payment
from services.payments.statuses import PaymentStatus


async def abandon(session: AsyncSession, statement: Update) -> None:
    """Execute an update that sets payments to abandoned if they are pending.

    Publish payment.abandoned for those whose payment.started was published.
    """
    rows = await session.execute(
        statement.returning(
            Payment.status,
            Payment.card_id,
            Payment.authorization_url,
            Payment.reference,
            Payment.order_id,
            Payment.amount,
            Payment.currency,
            Payment.client_metadata,
            Payment.traceparent,
        )
    )
    abandoned = [
        payment_events.abandoned(row)
        for row in rows
        if row.status == PaymentStatus.ABANDONED
        and row.order_id is not None
        and (row.card_id is not None or row.authorization_url is not None)
    ]
    await outbox.add(session, OutboxRow, *abandoned)
