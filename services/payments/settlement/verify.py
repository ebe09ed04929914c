"""The roads to a settlement by way of people: the payer's return, and the client's question."""

from datetime import timedelta

import structlog
from sqlalchemy import func, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from services.payments.errors import PaystackUnavailable
from services.payments.models import UNPAID, Payment
from services.payments.paystack.client import Paystack
from services.payments.paystack.errors import PaystackError, RateLimited
from services.payments.settlement.settle import settle

AGAIN_AFTER = timedelta(seconds=2)
"""A payment is asked about at most this often by people: a callback is an anonymous GET, and Paystack's limits are ours to keep."""

log = structlog.get_logger("verification")


async def verify_now(sessions: async_sessionmaker[AsyncSession], paystack: Paystack, reference: str) -> None:
    """Ask Paystack about an unpaid payment and settle what it answers. Quietly nothing where it was asked a moment ago.

    Raises PaystackUnavailable; the payment is as it was then.
    """
    claim = (
        update(Payment)
        .where(
            Payment.reference == reference,
            Payment.status.in_(UNPAID),
            (Payment.verify_attempts == 0) | (Payment.updated_at < func.now() - AGAIN_AFTER),
        )
        .values(verify_attempts=Payment.verify_attempts + 1, updated_at=func.now())
        .returning(Payment.reference)
    )
    async with sessions.begin() as session:
        claimed = (await session.execute(claim)).scalar_one_or_none()
    if claimed is None:
        return
    try:
        await _verify(sessions, paystack, reference)
    except RateLimited as error:
        raise PaystackUnavailable(headers={"Retry-After": str(error.retry_after)}) from error
    except PaystackError as error:
        log.warning("verify failed", reference=reference, error=type(error).__name__, reason=str(error)[:200])
        raise PaystackUnavailable from error


async def _verify(sessions: async_sessionmaker[AsyncSession], paystack: Paystack, reference: str) -> None:
    charge = await paystack.transactions.verify(reference)
    if charge is not None:
        async with sessions.begin() as session:
            await settle(session, [charge])
