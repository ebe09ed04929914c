"""Verify a payment at Paystack on request: when the payer returns from the checkout page, and when a client asks for it."""

from datetime import timedelta

import structlog
from sqlalchemy import func, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from kit.log_throttling import log_failure
from services.payments.errors import PaystackUnavailable
from services.payments.models import UNPAID, Payment
from services.payments.paystack.client import Paystack
from services.payments.paystack.errors import PaystackError, RateLimited
from services.payments.settlement.progress import record_progress
from services.payments.settlement.settle import settle
from services.payments.settlement.unsent_charges import abandon_unsent_charge

MIN_INTERVAL = timedelta(seconds=2)
"""The shortest time between two verifications of a payment on request: the return page is public, and the rate limit is shared."""

log = structlog.get_logger("verification")


async def verify_now(sessions: async_sessionmaker[AsyncSession], paystack: Paystack, reference: str) -> str | None:
    """Verify an unpaid payment at Paystack and settle the charge. Return Paystack's status of the charge, or None if Paystack was not asked
    or does not know the payment.

    Paystack is not asked if the row of the payment was updated less than MIN_INTERVAL ago, unless the payment was never verified. Raises
    PaystackUnavailable; then the status of the payment is unchanged.
    """
    taken = (
        update(Payment)
        .where(
            Payment.reference == reference,
            Payment.status.in_(UNPAID),
            (Payment.verify_attempts == 0) | (Payment.updated_at < func.now() - MIN_INTERVAL),
        )
        # At least 1: the payment was verified. No more than before, because the sweeper's intervals grow with this number.
        .values(verify_attempts=func.greatest(Payment.verify_attempts, 1), updated_at=func.now())
        .returning(Payment.reference)
    )
    async with sessions.begin() as session:
        if (await session.execute(taken)).scalar_one_or_none() is None:
            return None
    try:
        charge = await paystack.transactions.verify(reference)
    except RateLimited as error:
        raise PaystackUnavailable(headers={"Retry-After": str(error.retry_after)}) from error
    except PaystackError as error:
        log_failure(log.warning, "verification failed", error, reference=reference)
        raise PaystackUnavailable from error
    if charge is None:
        async with sessions.begin() as session:
            await abandon_unsent_charge(session, reference)
        return None
    async with sessions.begin() as session:
        await settle(session, [charge])
        # A charge that changes nothing has a status too: `abandoned` tells the client that the payer has left the page.
        await record_progress(session, charge)
    return charge.status
