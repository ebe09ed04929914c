"""Forgets what has served its time, a small batch at a time, so that no table grows without end."""

from kit.idempotency import keys as idempotency
from kit.messaging import inbox
from kit.worker.shutdown import Shutdown
from services.payments.db import sessions
from services.payments.models import IdempotencyKey, Inbox
from services.payments.webhooks.models import WebhookEvent

BATCH = 1000
PAUSE_SECONDS = 60.0


async def prune(shutdown: Shutdown) -> None:
    """Answers kept for a day; notices and events that are done for a month: longer than Paystack's 72 hours of retries."""
    while not shutdown.requested:
        async with sessions.begin() as session:
            keys = await idempotency.prune(session, IdempotencyKey, BATCH)
            notices = await inbox.prune(session, WebhookEvent, BATCH)
            events = await inbox.prune(session, Inbox, BATCH)
        if max(keys, notices, events) < BATCH:
            await shutdown.wait(PAUSE_SECONDS)
