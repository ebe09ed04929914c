"""What happens in catalog by itself: paid orders are delivered, unpaid ones expire, events leave, old records go."""

from contracts.events import EVENT
from contracts.topology import CATALOG_PAYMENTS, PAYMENTS_ORDERS
from kit.db.migrations import schema_check
from kit.idempotency import keys as idempotency
from kit.messaging import inbox
from kit.messaging.consumer import Consumer
from kit.messaging.notifier import Notifier
from kit.messaging.processor import Processor
from kit.messaging.relay import Relay
from kit.worker import runner
from kit.worker.shutdown import Shutdown
from services.catalog import backlog
from services.catalog.db import engine, sessions
from services.catalog.expiry import sweep
from services.catalog.fulfilment import fulfil
from services.catalog.models import IdempotencyKey, InboxRow, OutboxRow
from services.catalog.settings import settings
from services.catalog.undeliverable import republish

PRUNE_BATCH = 1000
PRUNE_SECONDS = 600.0


async def prune(shutdown: Shutdown) -> None:
    """Forget old idempotency keys and done inbox entries, a batch a transaction."""
    while not shutdown.requested:
        async with sessions.begin() as session:
            keys = await idempotency.prune(session, IdempotencyKey, PRUNE_BATCH)
        async with sessions.begin() as session:
            entries = await inbox.prune(session, InboxRow, PRUNE_BATCH)
        if max(keys, entries) < PRUNE_BATCH:
            await shutdown.wait(PRUNE_SECONDS)


async def work() -> None:
    notifier = Notifier(engine, "catalog")
    relay = Relay(engine, OutboxRow, settings.amqp_url, [PAYMENTS_ORDERS], republish, notifier)
    consumer = Consumer(sessions, InboxRow, settings.amqp_url, CATALOG_PAYMENTS, EVENT, fulfil, notifier)
    settler = Processor(sessions, InboxRow, consumer.handle, notifier, topic="inbox")
    try:
        await runner.run_jobs(
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
