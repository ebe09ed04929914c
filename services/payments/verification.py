"""The other roads to a settlement: the payer's return, the client's question, and the sweep of what has been pending too long."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import func, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from kit.database import is_contention
from kit.worker import Life
from services.payments import clients
from services.payments.errors import PaystackUnavailable
from services.payments.models import Payment
from services.payments.paystack import KeyRejected, PaystackError, RateLimited
from services.payments.settings import settings
from services.payments.settlement import settle

AGAIN_AFTER = timedelta(seconds=2)
"""A payment is asked about at most this often by people: a callback is an anonymous GET, and Paystack's limits are ours to keep."""

SWEEP_BATCH = 20
SWEEP_PAUSE_SECONDS = 1.0
ASK_PAUSE_SECONDS = 0.7
"""Between two questions of the sweep: under 100 a minute, Paystack's limit in test mode."""

NO_ANSWER_PAUSE_SECONDS = 2.0
LONGEST_PAUSE = timedelta(hours=1)
log = structlog.get_logger("verification")


async def ask(sessions: async_sessionmaker[AsyncSession], reference: str) -> None:
    """Ask Paystack about an unpaid payment and settle what it answers. Quietly nothing where it was asked a moment ago.

    Raises PaystackUnavailable; the payment is as it was then.
    """
    claim = (
        update(Payment)
        .where(
            Payment.reference == reference,
            Payment.status.in_(("pending", "failed", "abandoned")),
            (Payment.verifications == 0) | (Payment.updated_at < func.now() - AGAIN_AFTER),
        )
        .values(verifications=Payment.verifications + 1, updated_at=func.now())
        .returning(Payment.reference)
        .execution_options(synchronize_session=False)
    )
    async with sessions.begin() as session:
        claimed = (await session.execute(claim)).scalar_one_or_none()
    if claimed is None:
        return
    try:
        await _verify(sessions, reference)
    except RateLimited as error:
        raise PaystackUnavailable(headers={"Retry-After": str(error.retry_after)}) from error
    except PaystackError as error:
        log.warning("verify failed", reference=reference, error=type(error).__name__, reason=str(error)[:200])
        raise PaystackUnavailable from error


async def _verify(sessions: async_sessionmaker[AsyncSession], reference: str) -> None:
    charge = await clients.paystack().verify(reference)
    if charge is not None:
        async with sessions.begin() as session:
            await settle(session, [charge])


class Sweeper:
    """Asks about payments whose webhook is late, paced, ever less often, until they are given up as abandoned.

    Given up is not failed: money that comes later still settles.
    """

    def __init__(self, sessions: async_sessionmaker[AsyncSession]) -> None:
        self.sessions = sessions

    async def run(self, life: Life) -> None:
        while not life.over:
            due = await self._take()
            await self._ask_all(life, due)
            if len(due) < SWEEP_BATCH:
                await life.wait(SWEEP_PAUSE_SECONDS)

    async def _ask_all(self, life: Life, references: Sequence[str]) -> None:
        for reference in references:
            if life.over:
                return
            await self._ask(life, reference)
            await life.wait(ASK_PAUSE_SECONDS)

    async def _take(self) -> list[str]:
        """The references that are due, with their next question put off first: whoever dies here has forgotten none."""
        async with self.sessions.begin() as session:
            found = await session.execute(
                select(Payment.id, Payment.reference, Payment.created_at, Payment.verifications)
                .where(Payment.status == "pending", Payment.next_verify_at <= func.now())
                .order_by(Payment.next_verify_at)
                .limit(SWEEP_BATCH)
                .with_for_update(skip_locked=True)
            )
            rows = found.all()
            for row in rows:
                await session.execute(
                    update(Payment)
                    .where(Payment.id == row.id)
                    .values(verifications=row.verifications + 1, **_next(row.created_at, row.verifications))
                    .execution_options(synchronize_session=False)
                )
        return [row.reference for row in rows]

    async def _ask(self, life: Life, reference: str) -> None:
        try:
            await _verify(self.sessions, reference)
        except RateLimited as error:
            log.warning("Paystack's rate limit reached, pausing the sweep", seconds=error.retry_after)
            await life.wait(error.retry_after)
        except KeyRejected as error:
            log.critical("Paystack rejects our secret key: check PAYSTACK_SECRET_KEY", reason=str(error))
            await life.wait(30)
        except PaystackError as error:
            log.warning("verify failed", reference=reference, error=type(error).__name__, reason=str(error)[:200])
            await life.wait(NO_ANSWER_PAUSE_SECONDS)
        except DBAPIError as error:
            # Somebody has the payment in hand; the others need not wait for it.
            if not is_contention(error):
                raise
            log.warning("payment is locked, asking again later", reference=reference)


def _next(created_at: datetime, verifications: int) -> dict[str, Any]:
    """When to ask again, ever later; and that this is the last time, for what is old."""
    now = datetime.now(UTC)
    pause = min(timedelta(seconds=settings.payments_verify_after_seconds * 2 ** min(verifications, 12)), LONGEST_PAUSE)
    old = now - created_at > timedelta(seconds=settings.payments_abandon_after_seconds)
    jitter = random.uniform(0.8, 1.2)  # noqa: S311
    return {"next_verify_at": now + pause * jitter, "status": "abandoned" if old else "pending"}
