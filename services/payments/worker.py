"""What payments does by itself."""

from contracts.topology import CATALOG_PAYMENTS, PAYMENTS_ORDERS
from kit.db.migrations import schema_check
from kit.messaging.consumer import Consumer
from kit.messaging.processor import Processor
from kit.messaging.relay import Relay
from kit.worker import runner
from kit.worker.shutdown import Shutdown
from services.payments import clients, notices, undeliverable, wakeup
from services.payments.backlog import Backlog
from services.payments.cards.forgetting import Forgetter
from services.payments.db import engine, sessions
from services.payments.disputes.watch import Watch
from services.payments.models import Inbox, Notice, OutboxRow
from services.payments.pruning import prune
from services.payments.recovery.backfill import Backfill
from services.payments.recovery.sweep import Sweeper
from services.payments.refunding import Refunder
from services.payments.republishing import republish
from services.payments.settings import settings


async def work() -> None:
    """Settle notices, relay events, ask about late payments and notices that never came, prune; until told to stop."""
    relay = Relay(engine, OutboxRow, settings.amqp_url, [CATALOG_PAYMENTS], republish)
    refunder = Refunder(sessions, relay.bell)
    disputes = Watch(sessions, relay.bell)
    settler = Processor(
        sessions, Notice, notices.handle, outbox_bell=relay.bell, errand_bells=[refunder.bell, disputes.bell]
    )
    orders = Consumer(
        sessions,
        Inbox,
        settings.amqp_url,
        PAYMENTS_ORDERS,
        undeliverable.EVENTS,
        undeliverable.handle,
        outbox_bell=relay.bell,
    )
    retrier = Processor(sessions, Inbox, orders.handle, outbox_bell=relay.bell)
    forgetter = Forgetter(sessions)
    backlog = Backlog(sessions)

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
