"""The engine of the payments database, the transaction of a request, and what wakes background jobs."""

from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession

from kit.db.engine import create_engine, create_sessionmaker
from kit.messaging.notifier import Notifier
from services.payments.settings import settings

engine = create_engine(settings.payments_database_url, name="payments")
sessions = create_sessionmaker(engine)


async def transaction() -> AsyncIterator[AsyncSession]:
    async with sessions.begin() as session:
        yield session


Transaction = Annotated[AsyncSession, Depends(transaction, scope="function")]
"""One transaction for the request. Function scope commits before the response is sent; FastAPI's default scope commits after it."""


class Topic(StrEnum):
    """What background jobs wait for."""

    WEBHOOK_EVENTS = "webhook_events"
    """Stored webhook events are due: the processor."""

    INBOX = "inbox"
    """Inbox entries are due again: the processor of events."""

    OUTBOX = "outbox"
    """Events were written to the outbox: the relay."""

    REFUNDS = "refunds"
    """Refunds were requested, or changed at Paystack: the refund executor."""

    DISPUTES = "disputes"
    """Disputes may have changed at Paystack: the dispute poller."""

    CARDS = "cards"
    """Saved cards were deactivated here: the card deactivator tells Paystack."""


def create_notifier() -> Notifier:
    """Create the notifier of this process. One for each process: its subscribers and pending notifications belong to an event loop."""
    return Notifier(engine, "payments")


def _notifier(request: Request) -> Notifier:
    notifier: Notifier = request.state.notifier
    return notifier


CurrentNotifier = Annotated[Notifier, Depends(_notifier)]
