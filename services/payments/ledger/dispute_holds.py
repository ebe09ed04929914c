"""What Paystack keeps back of a payment while a dispute about it is open."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.payments.ledger import journal, movements
from services.payments.ledger.models import LedgerEntry, LedgerTransaction
from services.payments.models import Payment
from services.payments.settings import settings


async def hold(session: AsyncSession, payment: Payment, dispute_id: int, amount: int | None) -> None:
    """A dispute is open, about `amount` subunits of the payment, or all of it.

    Told again, or before anything was paid, it changes nothing.
    """
    paid = payment.received
    await journal.record(
        session,
        [movements.disputed(payment, dispute_id, paid if amount is None else min(amount, paid), settings.domain)],
    )


async def release(session: AsyncSession, payment: Payment, dispute_id: int, *, lost: bool) -> None:
    """It is over: what was kept back, however much the dispute is about by now. What a lost one gives back is its refund's movement."""
    kept = select(LedgerEntry.amount).join(LedgerTransaction, LedgerTransaction.id == LedgerEntry.transaction_id)
    kept = kept.where(LedgerTransaction.key == movements.disputed_key(dispute_id), LedgerEntry.amount > 0)
    amount = (await session.execute(kept)).scalar_one_or_none()
    if amount is not None:
        await journal.record(session, [movements.dispute_over(payment, dispute_id, amount, settings.domain, lost=lost)])
