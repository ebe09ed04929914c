"""What the command `status` does."""

import asyncio

import httpx
from prometheus_client.parser import text_string_to_metric_families
from rich.table import Table
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from kit.db.counting import count_and_oldest_age, count_up_to
from kit.http.client import HttpClient
from kit.messaging import outbox
from kit.messaging.entry_status import EntryStatus
from services.payments.cli.actions.command import Context, run
from services.payments.cli.actions.output import out, print_json
from services.payments.cli.actions.status_table import (
    CheckoutTimeout,
    DisputeCounts,
    EntryCounts,
    LastBackfill,
    OutboxCounts,
    Status,
    SweepStatus,
    WorkerStatus,
    table_rows,
)
from services.payments.db import sessions
from services.payments.metrics import (
    REJECTED_TRANSFERS_FAILED,
    seconds_until_dispute_due,
    select_refunds_that_need_an_operator,
    select_refused_refunds,
)
from services.payments.models import Dispute, Inbox, OutboxRow, Payment
from services.payments.paystack.errors import PaystackError
from services.payments.refunds.models import Refund
from services.payments.refunds.requests import UNFINISHED, UNRESOLVED_FAILURE
from services.payments.rejected_transfers.models import RejectedTransfer
from services.payments.settings import settings
from services.payments.settlement.sweeper import count_due
from services.payments.statuses import PaymentStatus, RefundStatus
from services.payments.unrelated_charges.models import UnrelatedCharge
from services.payments.webhooks.models import BackfillState, WebhookEvent

WORKER_TIMEOUT_SECONDS = 2.0
PAYSTACK_TIMEOUT_SECONDS = 3.0
FAILED_REFUNDS = select(Refund.number).join(Payment, Payment.id == Refund.payment_id).where(UNRESOLVED_FAILURE)
REJECTED_TRANSFERS_WITHOUT_PAYMENT = select(RejectedTransfer.id).where(RejectedTransfer.payment_id.is_(None))
SHOWN_STATUSES = (PaymentStatus.PENDING, PaymentStatus.HELD, PaymentStatus.DISPUTED)


def status(*, as_json: bool) -> None:
    """Print pending and failed work, open disputes, and whether the worker and Paystack answer."""
    found = run(_collect)
    if as_json:
        print_json(found)
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for row in table_rows(found):
        table.add_row(*row)
    out.print(table)


async def _collect(context: Context) -> Status:
    worker, checkout_timeout = await _ask_worker(), await _checkout_timeout(context)
    async with sessions() as session:
        return {
            "mode": settings.mode,
            "payments": {status: await _count_payments(session, status) for status in SHOWN_STATUSES},
            "checkout_timeout": checkout_timeout,
            "sweep": await _sweep(session, context, worker),
            "refunds": {
                **{status: await _count_refunds(session, status) for status in UNFINISHED},
                RefundStatus.FAILED: await count_up_to(session, FAILED_REFUNDS),
            },
            "refunds_refused": await count_up_to(session, select_refused_refunds()),
            "refunds_that_need_an_operator": await count_up_to(session, select_refunds_that_need_an_operator()),
            "unrelated_charges": await count_up_to(session, select(UnrelatedCharge.id)),
            "rejected_transfers_without_payment": await count_up_to(session, REJECTED_TRANSFERS_WITHOUT_PAYMENT),
            "rejected_transfers_failed": await count_up_to(session, REJECTED_TRANSFERS_FAILED),
            "disputes": await _disputes(session),
            "webhook_events": await _entries(session, WebhookEvent),
            "inbox": await _entries(session, Inbox),
            "outbox": await _outbox(session),
            "backfill": await _backfill(session),
            "worker": worker,
        }


async def _count_payments(session: AsyncSession, status: PaymentStatus) -> int:
    return await count_up_to(session, select(Payment.id).where(Payment.status == status))


async def _count_refunds(session: AsyncSession, status: RefundStatus) -> int:
    return await count_up_to(session, select(Refund.number).where(Refund.status == status))


async def _sweep(session: AsyncSession, context: Context, worker: WorkerStatus) -> SweepStatus:
    rate = worker.get("calls_per_minute", {}).get("verify")
    if rate is None and settings.paystack_secret_key is not None:
        rate = context.clients.paystack.rate_limit.per_minute("verify")
    due = await count_due(session)
    return {"due": due, "calls_per_minute": rate, "expected_seconds": due * 60 / rate if rate else None}


async def _checkout_timeout(context: Context) -> CheckoutTimeout:
    """Ask Paystack how long an unpaid checkout lives. Return an error if it does not answer."""
    if settings.paystack_secret_key is None:
        return {"seconds": None, "error": "PAYSTACK_SECRET_KEY is not set"}
    try:
        async with asyncio.timeout(PAYSTACK_TIMEOUT_SECONDS):
            return {"seconds": await context.clients.paystack.integration.fetch_checkout_timeout(), "error": None}
    except (PaystackError, TimeoutError) as error:
        return {"seconds": None, "error": f"Paystack did not answer ({type(error).__name__})"}


async def _disputes(session: AsyncSession) -> DisputeCounts:
    count = await count_up_to(session, select(Dispute.id).where(Dispute.lost.is_(None)))
    return {"open": count, "due_seconds": await seconds_until_dispute_due(session)}


async def _entries(session: AsyncSession, inbox: type[WebhookEvent] | type[Inbox]) -> EntryCounts:
    pending = select(inbox.id).where(inbox.status == EntryStatus.PENDING)
    count = await count_up_to(session, pending)
    due = pending.where(inbox.next_attempt_at <= func.now())
    _, oldest_seconds = await count_and_oldest_age(session, due, inbox.next_attempt_at)
    failed = await count_up_to(session, select(inbox.id).where(inbox.status == EntryStatus.FAILED))
    return {"pending": count, "failed": failed, "oldest_seconds": oldest_seconds}


async def _outbox(session: AsyncSession) -> OutboxCounts:
    count, oldest_seconds = await outbox.backlog(session, OutboxRow)
    return {"pending": count, "oldest_seconds": float(oldest_seconds)}


async def _backfill(session: AsyncSession) -> LastBackfill:
    state = (await session.execute(select(BackfillState))).scalar_one_or_none()
    if state is None:
        return {"complete_until": None, "ran_at": None, "checked": None, "stored": None}
    return {
        "complete_until": state.complete_until,
        "ran_at": state.ran_at,
        "checked": state.checked,
        "stored": state.stored,
    }


async def _ask_worker() -> WorkerStatus:
    """Read the readiness and the metrics of the worker on this machine. Return only `error` if it does not answer."""
    host = "127.0.0.1" if settings.http_host in {"0.0.0.0", "::"} else settings.http_host  # noqa: S104
    url = f"http://{host}:{settings.payments_worker_port}"
    try:
        async with (
            asyncio.timeout(WORKER_TIMEOUT_SECONDS),
            HttpClient(base_url=url, trust_env=False) as client,
        ):
            readiness, metrics = await client.get("/readyz"), await client.get("/metrics")
            metrics.raise_for_status()
            families = text_string_to_metric_families(metrics.text)
            samples = [sample for family in families for sample in family.samples]
    except (httpx.HTTPError, TimeoutError, ValueError) as error:
        return {"error": f"no worker answers at {url} ({type(error).__name__})"}
    values = {sample.name: sample.value for sample in samples}
    rates = {sample.labels["bucket"]: sample.value for sample in samples if sample.name == "paystack_calls_per_minute"}
    ready = readiness.status_code == 200
    return {
        "error": None,
        "ready": ready,
        "reason": None if ready else str(readiness.json().get("detail", "")),
        "circuit_open": bool(values.get("paystack_circuit_open")),
        "key_rejected": bool(values.get("paystack_key_rejected")),
        "calls_per_minute": rates,
    }
