"""status: what waits, what is stuck, and how the worker gets on with Paystack."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import NotRequired, TypedDict

import httpx
from prometheus_client.parser import text_string_to_metric_families
from rich.table import Table
from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from kit.db.counting import count_and_oldest_age, count_up_to
from kit.messaging import outbox
from kit.messaging.inbox import EntryStatus
from services.payments.cli.output import AsJson, Context, duration, out, print_json, run, words
from services.payments.db import sessions
from services.payments.disputes.poller import DUE_SOON
from services.payments.metrics import refunds_that_need_an_operator, seconds_until_dispute_due
from services.payments.mode import Mode
from services.payments.models import Dispute, Inbox, OutboxRow, Payment, PaymentStatus
from services.payments.refunds.models import Refund, RefundStatus
from services.payments.refunds.requests import UNFINISHED
from services.payments.settings import settings
from services.payments.settlement.sweeper import count_due
from services.payments.webhooks.models import BackfillState, WebhookEvent

WORKER_SECONDS = 2.0
SHOWN = (PaymentStatus.PENDING, PaymentStatus.HELD, PaymentStatus.DISPUTED)


class EntryCounts(TypedDict):
    """An inbox."""

    pending: int
    failed: int
    oldest_seconds: float


class OutboxCounts(TypedDict):
    pending: int
    oldest_seconds: float


class DisputeCounts(TypedDict):
    open: int
    due_seconds: float | None


class LastBackfill(TypedDict):
    reached: datetime | None
    ran_at: datetime | None
    seen: int | None
    stored: int | None


class SweepState(TypedDict):
    due: int
    calls_per_minute: float | None
    seconds: float | None


class WorkerState(TypedDict):
    """What the worker of this machine reports; only `error` if it does not answer."""

    error: str | None
    ready: NotRequired[bool]
    reason: NotRequired[str | None]
    circuit_open: NotRequired[bool]
    key_rejected: NotRequired[bool]
    calls_per_minute: NotRequired[dict[str, float]]


class Status(TypedDict):
    """The output of `status --json`."""

    mode: Mode
    payments: dict[PaymentStatus, int]
    sweep: SweepState
    refunds: dict[RefundStatus, int]
    refunds_that_wait: int
    disputes: DisputeCounts
    notices: EntryCounts
    events_in: EntryCounts
    events_out: OutboxCounts
    backfill: LastBackfill
    worker: WorkerState


def status(as_json: AsJson = False) -> None:
    """What waits, what is stuck, and how the worker gets on with Paystack. Counts end at 10,000."""
    found = run(_look)
    if as_json:
        print_json(found)
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for row in _rows(found):
        table.add_row(*row)
    out.print(table)


async def _look(context: Context) -> Status:
    worker = await _worker()
    pace = worker.get("calls_per_minute", {}).get("verify")
    if pace is None and settings.paystack_secret_key is not None:
        pace = context.clients.paystack.rate_limit.per_minute("verify")
    async with sessions() as session:
        due = await count_due(session)
        return {
            "mode": settings.domain,
            "payments": {state: await _payments(session, state) for state in SHOWN},
            "sweep": {"due": due, "calls_per_minute": pace, "seconds": due * 60 / pace if pace else None},
            "refunds": {state: await count_up_to(session, _refunds(state)) for state in UNFINISHED},
            "refunds_that_wait": await count_up_to(session, refunds_that_need_an_operator()),
            "disputes": await _disputes(session),
            "notices": await _inbox(session, WebhookEvent),
            "events_in": await _inbox(session, Inbox),
            "events_out": await _outbox(session),
            "backfill": await _backfill(session),
            "worker": worker,
        }


def _rows(found: Status) -> list[tuple[str, str]]:
    worker, sweep, notices, backfill = found["worker"], found["sweep"], found["notices"], found["backfill"]
    sweeping = f"{sweep['due']} to ask about"
    if sweep["seconds"] is not None:
        sweeping += f": {duration(sweep['seconds'])} at {sweep['calls_per_minute']:.0f} a minute"
    if worker["error"] is not None:
        paystack = "[yellow]?[/]"
        running = f"[yellow]{words(worker['error'])}[/]"
    else:
        running = "[green]ready[/]" if worker["ready"] else f"[red]{words(worker['reason'])}[/]"
        paystack = "[green]answers[/]"
        if worker["key_rejected"]:
            paystack = "[red]rejects our secret key: check PAYSTACK_SECRET_KEY[/]"
        elif worker["circuit_open"]:
            paystack = "[red]does not answer; what can wait waits[/]"
    waits = found["refunds_that_wait"]
    stuck = f"[red]{waits} wait for a person[/]" if waits else "none waits for a person"
    last = "never" if backfill["ran_at"] is None else f"{words(backfill['ran_at'])}: {backfill['stored']} stored"
    return [
        ("mode", found["mode"]),
        ("worker", running),
        ("Paystack", paystack),
        ("payments", _told(found["payments"])),
        ("sweep", sweeping),
        ("refunds", f"{_told(found['refunds'])}; {stuck}"),
        ("disputes", _clock(found["disputes"])),
        ("notices", _waiting(notices)),
        ("events in", _waiting(found["events_in"])),
        ("events out", f"{found['events_out']['pending']} waiting, {_oldest(found['events_out'])}"),
        ("backfill", last),
    ]


def _told(counts: Mapping[PaymentStatus, int] | Mapping[RefundStatus, int]) -> str:
    return ", ".join(f"{count} {state}" for state, count in counts.items())


def _clock(disputes: DisputeCounts) -> str:
    seconds = disputes["due_seconds"]
    if seconds is None:
        return f"{disputes['open']} open, none waits for our answer"
    said = f"due in {duration(seconds)}" if seconds > 0 else f"overdue for {duration(-seconds)}"
    said = f"the first that waits for our answer is {said}"
    return f"{disputes['open']} open, {f'[red]{said}[/]' if seconds < DUE_SOON.total_seconds() else said}"


def _waiting(entries: EntryCounts) -> str:
    waits = f"[red]{entries['failed']} wait for a person[/]" if entries["failed"] else "none waits for a person"
    return f"{entries['pending']} pending, {_oldest(entries)}; {waits}"


def _oldest(entries: EntryCounts | OutboxCounts) -> str:
    seconds = entries["oldest_seconds"]
    return f"the oldest for {duration(seconds)}" if entries["pending"] else "none is late"


async def _payments(session: AsyncSession, state: PaymentStatus) -> int:
    return await count_up_to(session, select(Payment.id).where(Payment.status == state))


def _refunds(state: RefundStatus) -> Select[int]:
    return select(Refund.number).where(Refund.status == state)


async def _inbox(session: AsyncSession, inbox: type[WebhookEvent] | type[Inbox]) -> EntryCounts:
    pending = select(inbox.id).where(inbox.status == EntryStatus.PENDING)
    count, oldest = await count_and_oldest_age(session, pending, inbox.received_at)
    failed = await count_up_to(session, select(inbox.id).where(inbox.status == EntryStatus.FAILED))
    return {"pending": count, "failed": failed, "oldest_seconds": oldest}


async def _outbox(session: AsyncSession) -> OutboxCounts:
    count, oldest = await outbox.backlog(session, OutboxRow)
    return {"pending": count, "oldest_seconds": float(oldest)}


async def _disputes(session: AsyncSession) -> DisputeCounts:
    seconds = await seconds_until_dispute_due(session)
    count = await count_up_to(session, select(Dispute.id).where(Dispute.lost.is_(None)))
    return {"open": count, "due_seconds": seconds}


async def _backfill(session: AsyncSession) -> LastBackfill:
    mark = (await session.execute(select(BackfillState))).scalar_one_or_none()
    if mark is None:
        return {"reached": None, "ran_at": None, "seen": None, "stored": None}
    return {"reached": mark.reached, "ran_at": mark.ran_at, "seen": mark.seen, "stored": mark.stored}


async def _worker() -> WorkerState:
    """What the worker of this machine tells of itself; `error` where none answers."""
    host = "127.0.0.1" if settings.http_host in {"0.0.0.0", "::"} else settings.http_host  # noqa: S104
    url = f"http://{host}:{settings.payments_worker_port}"
    try:
        async with asyncio.timeout(WORKER_SECONDS), httpx.AsyncClient(base_url=url, trust_env=False) as client:
            readiness, metrics = await client.get("/readyz"), await client.get("/metrics")
            metrics.raise_for_status()
            samples = [each for family in text_string_to_metric_families(metrics.text) for each in family.samples]
    except (httpx.HTTPError, TimeoutError, ValueError) as error:
        return {"error": f"no worker answers at {url} ({type(error).__name__})"}
    plain = {sample.name: sample.value for sample in samples}
    rates = {s.labels["bucket"]: s.value for s in samples if s.name == "paystack_calls_per_minute"}
    ready = readiness.status_code == 200
    return {
        "error": None,
        "ready": ready,
        "reason": None if ready else str(readiness.json().get("detail", "")),
        "circuit_open": bool(plain.get("paystack_circuit_open")),
        "key_rejected": bool(plain.get("paystack_key_rejected")),
        "calls_per_minute": rates,
    }
