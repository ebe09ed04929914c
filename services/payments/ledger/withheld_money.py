"""Record in the ledger the money that Paystack withholds while a dispute is open."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.payments.ledger import journal, movements
from services.payments.ledger.models import LedgerEntry, LedgerTransaction
from services.payments.models import Payment
from services.payments.settings import settings


async def record_withheld(session: AsyncSession, payment: Payment, dispute_id: int, amount: int | None) -> None:
    """Record that Paystack withholds `amount` subunits, at most the paid amount; None means the whole paid amount.

    Idempotent for each dispute. Does nothing if nothing was paid.
    """
    paid = payment.received
    withheld = paid if amount is None else min(amount, paid)
    await journal.record(session, [movements.disputed(payment, dispute_id, withheld, settings.mode)])


async def record_released(session: AsyncSession, payment: Payment, dispute_id: int, *, lost: bool) -> None:
    """Record that Paystack no longer withholds the money of a resolved dispute.

    The amount is the one that `record_withheld` recorded, even if the disputed amount has changed since. Does nothing if no money was
    withheld. The chargeback of a lost dispute is recorded separately, as a refund.
    """
    withheld_entry = (
        select(LedgerEntry.amount)
        .join(LedgerTransaction, LedgerTransaction.id == LedgerEntry.transaction_id)
        .where(LedgerTransaction.key == movements.disputed_key(dispute_id), LedgerEntry.amount > 0)
    )
    withheld = (await session.execute(withheld_entry)).scalar_one_or_none()
    if withheld is not None:
        movement = movements.dispute_resolved(payment, dispute_id, withheld, settings.mode, lost=lost)
        await journal.record(session, [movement])
