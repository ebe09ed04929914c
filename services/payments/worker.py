"""The background jobs of payments."""

from pydantic import SecretStr

from contracts.topology import CATALOG_PAYMENTS, PAYMENTS_ACCOUNTS, PAYMENTS_ORDERS, Queue
from kit.db.schema import schema_check
from kit.messaging.consumer import Consumer
from kit.messaging.notifier import Notifier
from kit.messaging.processor import Processor
from kit.messaging.relay import Relay
from kit.messaging.settings import load_amqp_url
from kit.worker import runner
from kit.worker.shutdown import Shutdown
from services.payments import consumed_events
from services.payments.cards.deactivation import CardDeactivator
from services.payments.clients import open_clients
from services.payments.customers import account_events
from services.payments.db import Topic, create_notifier, engine, sessions
from services.payments.disputes.poller import DisputePoller
from services.payments.metrics import Metrics
from services.payments.models import Inbox, OutboxRow
from services.payments.paystack.client import Paystack
from services.payments.pruning import prune
from services.payments.refunds.executor import RefundExecutor
from services.payments.rejected_transfers.matching import TransferMatcher
from services.payments.republish import republish
from services.payments.settings import settings
from services.payments.settlement.sweeper import Sweeper
from services.payments.webhooks import processing
from services.payments.webhooks.backfill import Backfill
from services.payments.webhooks.models import WebhookEvent


async def work() -> None:
    """Run the background jobs of payments until the process is asked to stop. The jobs that call Paystack run only with a secret key."""
    amqp_url = load_amqp_url()
    notifier = create_notifier()
    orders, accounts = (_consumer(amqp_url, queue, notifier) for queue in (PAYMENTS_ORDERS, PAYMENTS_ACCOUNTS))
    metrics = Metrics(sessions)

    async def listen(shutdown: Shutdown) -> None:
        await notifier.listen(shutdown, settings.payments_database_url)

    jobs: dict[str, runner.Job] = {
        "webhook processor": Processor(
            sessions, WebhookEvent, processing.handle, notifier, topic=Topic.WEBHOOK_EVENTS
        ).run,
        "consumer": orders.run,
        "accounts consumer": accounts.run,
        "ended accounts": account_events.run,
        # Both consumers store events in this inbox, and have the same handler.
        "inbox processor": Processor(sessions, Inbox, orders.handle_entries, notifier, topic=Topic.INBOX).run,
        "relay": Relay(engine, OutboxRow, amqp_url, [CATALOG_PAYMENTS], republish, notifier).run,
        "listener": listen,
        "measurement": metrics.run,
        "pruning": prune,
    }
    checks = {
        "database": schema_check("services.payments", engine),
        "consumer": orders.check,
        "accounts consumer": accounts.check,
        "backlog": metrics.measure,
    }
    try:
        async with open_clients() as clients:
            if (paystack := clients.configured_paystack) is not None:
                jobs |= _paystack_jobs(paystack, notifier)
            await runner.run_jobs(jobs, checks, host=settings.http_host, port=settings.payments_worker_port)
    finally:
        await engine.dispose()


def _consumer(amqp_url: SecretStr, queue: Queue, notifier: Notifier) -> Consumer[consumed_events.ConsumedEvent]:
    return Consumer(
        sessions,
        Inbox,
        amqp_url,
        queue,
        consumed_events.EVENT_ADAPTER,
        consumed_events.handle,
        notifier,
        topics=frozenset({Topic.REFUNDS, Topic.CARDS}),
    )


def _paystack_jobs(paystack: Paystack, notifier: Notifier) -> dict[str, runner.Job]:
    return {
        "sweeper": Sweeper(sessions, paystack).run,
        "backfill": Backfill(sessions, paystack, notifier).run,
        "refund executor": RefundExecutor(sessions, paystack, notifier).run,
        "dispute poller": DisputePoller(sessions, paystack, notifier).run,
        "transfer matcher": TransferMatcher(sessions, paystack, notifier).run,
        "card deactivator": CardDeactivator(sessions, paystack, notifier).run,
    }
