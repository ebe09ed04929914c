"""Store Paystack's status and the channel of an unpaid payment; they do not change our status."""

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from services.payments.models import UNPAID, Payment
from services.payments.paystack.charge import Charge
from services.payments.paystack.progress import IN_PROGRESS


async def record_progress(session: AsyncSession, charge: Charge) -> None:
    """Store Paystack's status of an unpaid payment, and the channel if the payer has begun to pay. A paid payment is not changed.

    The channel of a transaction that nobody has begun to pay is not stored: Paystack reports one, but the payer has not chosen it.
    """
    values: dict[str, str | None] = {"paystack_status": charge.status}
    if charge.status in IN_PROGRESS:
        values["channel"] = charge.channel
    unpaid = update(Payment).where(Payment.reference == charge.reference, Payment.status.in_(UNPAID))
    await session.execute(unpaid.values(values))
