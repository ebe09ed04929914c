"""What payments does by itself."""

from contracts.topology import CATALOG_PAYMENTS, PAYMENTS_ORDERS
from kit.db.migrations import schema_check
from kit.messaging.consumer import Consumer
from kit.messaging.processor import Processor
from kit.messaging.relay import Relay
from kit.worker import runner
from kit.worker.shutdown import Shutdown
from services.payments import clients, wakeup
from services.payments.cards.deactivation import CardDeactivator
from services.payments.db import engine, sessions
from services.payments.disputes.poller import DisputePoller
from services.payments.metrics import Metrics
from services.payments.models import Inbox, OutboxRow
from services.payments.pruning import prune
from services.payments.refunds import undeliverable_orders
from services.payments.refunds.executor import RefundExecutor
from services.payments.republish import republish
from services.payments.settings import settings
from services.payments.settlement.sweeper import Sweeper
from services.payments.webhooks import processing
from services.payments.webhooks.backfill import Backfill
from services.payments.webhooks.models import WebhookEvent


async def work() -> None:
    """Settle notices, relay events, ask about late payments and notices that never came, prune; until told to stop."""
    relay = Relay(engine, OutboxRow, settings.amqp_url, [CATALOG_PAYMENTS], republish)
    refunder = RefundExecutor(sessions, relay.bell)
    disputes = DisputePoller(sessions, relay.bell)
    settler = Processor(
        sessions, WebhookEvent, processing.handle, outbox_bell=relay.bell, errand_bells=[refunder.bell, disputes.bell]
    )
    orders = Consumer(
        sessions,
        Inbox,
        settings.amqp_url,
        PAYMENTS_ORDERS,
        undeliverable_orders.EVENTS,
        undeliverable_orders.handle,
        outbox_bell=relay.bell,
    )
    retrier = Processor(sessions, Inbox, orders.handle, outbox_bell=relay.bell)
    forgetter = CardDeactivator(sessions)
    backlog = Metrics(sessions)

    async def listen(shutdown: Shutdown) -> None:
        await wakeup.listen(
            shutdown, {"notices": [settler.bell], "errands": [refunder.bell, disputes.bell, forgetter.bell]}
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
