"""The background jobs of catalog: deliver paid orders, expire pending ones, publish events, delete old rows."""

from functools import partial

from contracts.events import EVENT_ADAPTER
from contracts.topology import CATALOG_ACCOUNTS, CATALOG_PAYMENTS, PAYMENTS_ORDERS
from kit.db.schema import schema_check
from kit.messaging import outbox
from kit.messaging.consumer import Consumer
from kit.messaging.notifier import Notifier
from kit.messaging.processor import Processor
from kit.messaging.relay import Relay
from kit.messaging.settings import load_amqp_url
from kit.worker import runner
from services.catalog import consumed_events
from services.catalog.customers import account_events
from services.catalog.db import engine, sessions
from services.catalog.models import InboxRow, OutboxRow
from services.catalog.orders import deletion, expiry
from services.catalog.pruning import prune
from services.catalog.readiness import check_backlog
from services.catalog.republish import republish
from services.catalog.search import lexeme_counts
from services.catalog.settings import settings
from services.catalog.stock import low_stock


async def work() -> None:
    """Run the background jobs until SIGTERM."""
    amqp_url = load_amqp_url()
    notifier = Notifier(engine, "catalog")
    payments, accounts = (
        Consumer(sessions, InboxRow, amqp_url, queue, EVENT_ADAPTER, consumed_events.handle, notifier)
        for queue in (CATALOG_PAYMENTS, CATALOG_ACCOUNTS)
    )
    relay = Relay(engine, OutboxRow, amqp_url, [PAYMENTS_ORDERS], republish, notifier)
    # Both consumers store events in this inbox, and have the same handler.
    processor = Processor(sessions, InboxRow, payments.handle_entries, notifier, topic="inbox")
    try:
        await runner.run_jobs(
            {
                "consumer": payments.run,
                "accounts consumer": accounts.run,
                "inbox processor": processor.run,
                "relay": relay.run,
                "measurement": partial(outbox.keep_measuring, sessions, OutboxRow),
                "low stock measurement": partial(low_stock.keep_measuring, sessions),
                "lexeme counts": partial(lexeme_counts.run, sessions),
                "expiry": partial(expiry.run, sessions),
                "deletion of orders that were never paid": partial(deletion.run, sessions),
                "ended accounts": partial(account_events.run, sessions),
                "pruning": partial(prune, sessions),
            },
            {
                "database": schema_check("services.catalog", engine),
                "consumer": payments.check,
                "accounts consumer": accounts.check,
                "backlog": partial(check_backlog, sessions),
            },
            host=settings.http_host,
            port=settings.catalog_worker_port,
        )
    finally:
        await engine.dispose()
