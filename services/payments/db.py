"""The engine of the payments database, the transaction of a request, and the notifier that wakes background jobs."""

from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession

from kit.db.engine import create_engine, create_sessionmaker
from kit.db.reading import create_reading_engine, create_reading_sessionmaker
from kit.messaging.notifier import Notifier
from services.payments.settings import settings

engine = create_engine(settings.payments_database_url, name="payments", connections=settings.database_connections)
sessions = create_sessionmaker(engine)
reading_engine = create_reading_engine(
    settings.payments_database_url, name="payments", connections=settings.database_reading_connections
)
reading_sessions = create_reading_sessionmaker(reading_engine)


async def transaction() -> AsyncIterator[AsyncSession]:
    """Yield a session in a transaction. Commit it when the endpoint returns, roll it back if the endpoint raises."""
    async with sessions.begin() as session:
        yield session


DatabaseTransaction = Annotated[AsyncSession, Depends(transaction, scope="function")]
"""One transaction for the request. `scope="function"` commits before the response is sent; FastAPI's default scope commits afterwards."""


async def reading() -> AsyncIterator[AsyncSession]:
    """Yield a session that reads without a transaction."""
    async with reading_sessions() as session:
        yield session


Reading = Annotated[AsyncSession, Depends(reading, scope="function")]
"""The session of a GET request (kit/db/reading.py). Its connection is free again before the response is sent."""


class Topic(StrEnum):
    """The topics of notifications. Each wakes one background job."""

    WEBHOOK_EVENTS = "webhook_events"
    """Webhook events are due: wakes the webhook event processor."""

    INBOX = "inbox"
    """Inbox entries are due: wakes the inbox processor."""

    OUTBOX = "outbox"
    """Events were written to the outbox: wakes the relay."""

    REFUNDS = "refunds"
    """Refunds were requested, or changed at Paystack: wakes the refund executor."""

    DISPUTES = "disputes"
    """Disputes may have changed at Paystack: wakes the dispute poller."""

    TRANSFERS = "transfers"
    """Rejected transfers were recorded: wakes the transfer matcher."""

    CARDS = "cards"
    """Saved cards were deactivated here: wakes the card deactivator."""


def create_notifier() -> Notifier:
    """Create a notifier. It can be used in one event loop only: that of the background jobs or of the requests."""
    return Notifier(engine, "payments")


def _notifier(request: Request) -> Notifier:
    notifier: Notifier = request.state.notifier
    return notifier


CurrentNotifier = Annotated[Notifier, Depends(_notifier)]
