"""Charges of saved cards that never reached Paystack: the process died before it sent the charge, or the connection failed.

While the result of a charge is unknown, no other payment of the order starts. So a charge that Paystack does not know is abandoned
after SENT_WITHIN: otherwise, the order could not be paid any more.
"""

from datetime import timedelta

from sqlalchemy import func, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.payments.models import Payment
from services.payments.settlement import abandoned
from services.payments.statuses import PaymentStatus

SENT_WITHIN = timedelta(seconds=60)
"""A charge is sent once, within seconds after its row is stored. Money that arrives after all is settled like any other."""


async def abandon_unsent_charge(session: AsyncSession, reference: str) -> None:
    """Abandon the charge with this reference, which Paystack does not know, if it is older than SENT_WITHIN.

    Do nothing if the payment is not a charge of a saved card.
    """
    unsent = update(Payment).where(
        Payment.reference == reference,
        Payment.status == PaymentStatus.PENDING,
        Payment.card_id.is_not(None),
        Payment.authorization_url.is_(None),
        Payment.created_at < func.now() - SENT_WITHIN,
    )
    unknown = unsent.values(status=PaymentStatus.ABANDONED, gateway_response="Paystack does not know this charge")
    await abandoned.abandon(session, unknown)
