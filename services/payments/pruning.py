"""Delete old rows in small batches, so that no table grows without limit."""

from kit.idempotency import keys as idempotency
from kit.messaging import inbox
from kit.worker.shutdown import Shutdown
from services.payments import call_budget
from services.payments.db import sessions
from services.payments.models import IdempotencyKey, Inbox
from services.payments.webhooks.models import WebhookEvent

BATCH = 1000
PAUSE_SECONDS = 60.0


async def prune(shutdown: Shutdown) -> None:
    """Delete idempotency keys and unused budgets of calls after a day, and processed webhook events and inbox entries after a month.

    A month is longer than the 72 hours for which Paystack retries a webhook.
    """
    while not shutdown.requested:
        async with sessions.begin() as session:
            keys = await idempotency.prune(session, IdempotencyKey, BATCH)
            webhook_events = await inbox.prune(session, WebhookEvent, BATCH)
            events = await inbox.prune(session, Inbox, BATCH)
            budgets = await call_budget.prune(session, BATCH)
        if max(keys, webhook_events, events, budgets) < BATCH:
            await shutdown.wait(PAUSE_SECONDS)
