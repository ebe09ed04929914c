"""What happens in catalog by itself: paid orders are delivered, unpaid ones expire, events leave, old records go."""

from contracts.events import EVENT
from contracts.topology import CATALOG_PAYMENTS, PAYMENTS_ORDERS
from kit import idempotency, inbox, worker
from kit.consumer import Consumer
from kit.inbox import Settler
from kit.migrations import schema_check
from kit.outbox import Relay
from kit.worker import Life
from services.catalog import backlog
from services.catalog.db import engine, sessions
from services.catalog.expiry import sweep
from services.catalog.fulfilment import fulfil
from services.catalog.models import IdempotencyKey, InboxRow, OutboxRow
from services.catalog.settings import settings
from services.catalog.undeliverable import republish

PRUNE_BATCH = 1000
PRUNE_SECONDS = 600.0


async def prune(life: Life) -> None:
    """Forget old idempotency keys and done inbox entries, a batch a transaction."""
    while not life.over:
        async with sessions.begin() as session:
            keys = await idempotency.prune(session, IdempotencyKey, PRUNE_BATCH)
        async with sessions.begin() as session:
            entries = await inbox.prune(session, InboxRow, PRUNE_BATCH)
        if max(keys, entries) < PRUNE_BATCH:
            await life.wait(PRUNE_SECONDS)


async def work() -> None:
    relay = Relay(engine, OutboxRow, settings.amqp_url, [PAYMENTS_ORDERS], republish)
    consumer = Consumer(sessions, InboxRow, settings.amqp_url, CATALOG_PAYMENTS, EVENT, fulfil, outbox_bell=relay.bell)
    settler = Settler(sessions, InboxRow, consumer.handle, outbox_bell=relay.bell)
    try:
        await worker.run(
            {
                "consumer": consumer.run,
                "retries": settler.run,
                "relay": relay.run,
                "expiry": sweep,
                "pruning": prune,
            },
            {
                "database": schema_check("services.catalog", engine),
                "consumer": consumer.check,
                "backlog": backlog.check,
            },
            host=settings.http_host,
            port=settings.catalog_worker_port,
        )
    finally:
        await engine.dispose()
