"""Tells Paystack which cards were forgotten, and only then forgets their codes: until then they are needed to say which."""

import structlog
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from kit.messaging.notifier import Notifier
from kit.worker.backoff import Backoff
from kit.worker.due_rows import take_due
from kit.worker.shutdown import Shutdown
from services.payments.cards.models import Card
from services.payments.db import Topic
from services.payments.paystack.client import Paystack
from services.payments.paystack.errors import PaystackError
from services.payments.settings import settings

POLL_SECONDS = 2.0
BACKOFF = Backoff(first=60, longest=6 * 3600)
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
    """The background job that deactivates at Paystack the cards that were deactivated here."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession], paystack: Paystack, notifier: Notifier) -> None:
        self.sessions = sessions
        self.paystack = paystack
        self._wakeup = notifier.subscribe(Topic.CARDS)

    async def run(self, shutdown: Shutdown) -> None:
        while not shutdown.requested:
            try:
                if await self.forget_one(shutdown):
                    continue
            except PaystackError as error:
                log.warning(
                    "a forgotten card could not be deactivated", error=type(error).__name__, reason=str(error)[:200]
                )
            await shutdown.wait(POLL_SECONDS, self._wakeup)

    async def forget_one(self, shutdown: Shutdown) -> bool:
        """Whether there was one. Raises PaystackError; it is then tried again, ever less often. Deactivating twice does no harm."""
        due = take_due(
            Card.id,
            Card.authorization_code,
            key=Card.id,
            due_at=Card.next_attempt_at,
            attempts=Card.attempts,
            lease=BACKOFF.interval(Card.attempts),
            where=[Card.domain == settings.domain],
        )
        async with self.sessions.begin() as session:
            row = (await session.execute(due)).one_or_none()
        if row is None:
            return False
        if not await self.paystack.rate_limit.acquire("others", shutdown):
            return False
        if row.authorization_code is not None:
            await self.paystack.authorizations.deactivate(row.authorization_code)
        async with self.sessions.begin() as session:
            gone = update(Card).where(Card.id == row.id, Card.deactivated_at.is_not(None)).values(NOTHING)
            await session.execute(gone)
        return True
