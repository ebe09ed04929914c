"""What payments does by itself."""

from contracts.topology import CATALOG_PAYMENTS, PAYMENTS_ORDERS
from kit.db.migrations import schema_check
from kit.messaging.consumer import Consumer
from kit.messaging.notifier import Notifier
from kit.messaging.processor import Processor
from kit.messaging.relay import Relay
from kit.worker import runner
from kit.worker.shutdown import Shutdown
from services.payments import clients, wakeup
from services.payments.cards.deactivation import CardDeactivator
from services.payments.db import engine, sessions
from services.payments.disputes.poller import DisputePoller
from services.payments.metrics import Metrics
from services.payments.models import Inbox, OutboxRow, WebhookEvent
from services.payments.pruning import prune
from services.payments.refunds import undeliverable_orders
from services.payments.refunds.executor import RefundExecutor
from services.payments.republish import republish
from services.payments.settings import settings
from services.payments.settlement.sweeper import Sweeper
from services.payments.webhooks import processing
from services.payments.webhooks.backfill import Backfill


async def work() -> None:
    """Settle notices, relay events, ask about late payments and notices that never came, prune; until told to stop."""
    notifier = Notifier(engine, "payments")
    relay = Relay(engine, OutboxRow, settings.amqp_url, [CATALOG_PAYMENTS], republish, notifier)
    refunder = RefundExecutor(sessions, relay.wakeup)
    refunder.bell = notifier.subscribe("refunds")
    disputes = DisputePoller(sessions, relay.wakeup)
    disputes.bell = notifier.subscribe("disputes")
    settler = Processor(sessions, WebhookEvent, processing.handle, notifier, topic="webhook_events")
    orders = Consumer(
        sessions,
        Inbox,
        settings.amqp_url,
        PAYMENTS_ORDERS,
        undeliverable_orders.EVENTS,
        undeliverable_orders.handle,
        notifier,
        wake=frozenset({"refunds"}),
    )
    retrier = Processor(sessions, Inbox, orders.handle, notifier, topic="inbox")
    forgetter = CardDeactivator(sessions)
    backlog = Metrics(sessions)

    async def listen(shutdown: Shutdown) -> None:
        await wakeup.listen(
            shutdown, {"notices": [settler.wakeup], "errands": [refunder.bell, disputes.bell, forgetter.bell]}
        )

    loops: dict[str, runner.Job] = {
        "settle": settler.run,
        "consume": orders.run,
        "retry": retrier.run,
        "relay": relay.run,
        "listen": listen,
        "measure": backlog.run,
        "prune": prune,
    }
    if settings.paystack_secret_key is not None:
        loops["sweep"] = Sweeper(sessions).run
        loops["backfill"] = Backfill(sessions, wakeup.Doorbell(engine, "notices")).run
        loops["refund"] = refunder.run
        loops["disputes"] = disputes.run
        loops["forget"] = forgetter.run
    checks = {
        "database": schema_check("services.payments", engine),
        "consumer": orders.check,
        "backlog": backlog.measure,
    }
    try:
        await runner.run_jobs(loops, checks, host=settings.http_host, port=settings.payments_worker_port)
    finally:
        await clients.close()
        await engine.dispose()
