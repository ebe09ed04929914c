"""Tells Paystack which cards were forgotten, and only then forgets their codes: until then they are needed to say which."""

import asyncio
from datetime import timedelta

import structlog
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from kit.worker.shutdown import Shutdown
from services.payments import clients
from services.payments.cards.models import Card
from services.payments.paystack.errors import PaystackError
from services.payments.settings import settings

POLL_SECONDS = 2.0
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=60), timedelta(hours=6)
NOTHING = {
    "authorization_code": None,
    "email": None,
    "last4": None,
    "brand": None,
    "exp_month": None,
    "exp_year": None,
    "bank": None,
    "next_attempt_at": None,
}
log = structlog.get_logger("cards")


class CardDeactivator:
    """The loop. Ring `bell` when a card may have been forgotten."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession]) -> None:
        self.sessions = sessions
        self.bell = asyncio.Event()

    async def run(self, shutdown: Shutdown) -> None:
        while not shutdown.requested:
            try:
                if await self.forget_one(shutdown):
                    continue
            except PaystackError as error:
                log.warning(
                    "a forgotten card could not be deactivated", error=type(error).__name__, reason=str(error)[:200]
                )
            await shutdown.wait(POLL_SECONDS, self.bell)

    async def forget_one(self, shutdown: Shutdown) -> bool:
        """Whether there was one. Raises PaystackError; it is then tried again, ever less often. Deactivating twice does no harm."""
        async with self.sessions.begin() as session:
            found = await session.execute(
                select(Card.id, Card.authorization_code, Card.attempts)
                .where(Card.next_attempt_at <= func.now(), Card.domain == settings.domain)
                .order_by(Card.next_attempt_at)
                .limit(1)
                .with_for_update(skip_locked=True)
            )
            row = found.one_or_none()
            if row is None:
                return False
            pause = min(FIRST_PAUSE * 2 ** min(row.attempts, 12), LONGEST_PAUSE)
            put_off = update(Card).where(Card.id == row.id)
            await session.execute(
                put_off.values(next_attempt_at=func.now() + pause, attempts=Card.attempts + 1).execution_options(
                    synchronize_session=False
                )
            )
        if not await clients.paystack().pace.turn("others", shutdown):
            return False
        if row.authorization_code is not None:
            clients.paystack().pace.spend("others")
            await clients.paystack().authorizations.deactivate(row.authorization_code)
        async with self.sessions.begin() as session:
            gone = update(Card).where(Card.id == row.id, Card.deactivated_at.is_not(None)).values(NOTHING)
            await session.execute(gone.execution_options(synchronize_session=False))
        return True
