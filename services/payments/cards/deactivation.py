"""Deactivate at Paystack the cards that were deactivated here.

The authorization code is erased only after that, because Paystack needs it to identify the card.
"""

import structlog
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from kit.log_throttling import log_failure
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
ERASED = {
    "authorization_code": None,
    "email": None,
    "last4": None,
    "brand": None,
    "exp_month": None,
    "exp_year": None,
    "bank": None,
    "next_attempt_at": None,
}
"""The values of a card whose data is erased."""

log = structlog.get_logger("cards")


class CardDeactivator:
    """The background job that deactivates cards at Paystack. Several may run: they share the due cards."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession], paystack: Paystack, notifier: Notifier) -> None:
        self.sessions = sessions
        self.paystack = paystack
        self._wakeup = notifier.subscribe(Topic.CARDS)

    async def run(self, shutdown: Shutdown) -> None:
        """Deactivate cards as they become due, until the process is asked to stop."""
        while not shutdown.requested:
            try:
                if await self.deactivate_next(shutdown):
                    continue
            except PaystackError as error:
                log_failure(log.warning, "card deactivation failed", error)
            await shutdown.wait(POLL_SECONDS, self._wakeup)

    async def deactivate_next(self, shutdown: Shutdown) -> bool:
        """Deactivate the next due card. Return False if no card is due or the process is asked to stop.

        Raises PaystackError; the card is then retried with exponential backoff. Deactivating a card twice is harmless.
        """
        due = take_due(
            Card.id,
            Card.authorization_code,
            key=Card.id,
            due_at=Card.next_attempt_at,
            attempts=Card.attempts,
            lease=BACKOFF.interval(Card.attempts),
            where=[Card.domain == settings.mode],
        )
        async with self.sessions.begin() as session:
            card = (await session.execute(due)).one_or_none()
        if card is None:
            return False
        if not await self.paystack.rate_limit.acquire("other_calls", shutdown):
            return False
        if card.authorization_code is not None:
            await self.paystack.authorizations.deactivate(card.authorization_code)
        async with self.sessions.begin() as session:
            # The data of a card that was saved again meanwhile is not erased.
            await session.execute(
                update(Card).where(Card.id == card.id, Card.deactivated_at.is_not(None)).values(ERASED)
            )
        return True
