"""The result of the command `status`, and the rows of its table."""

from collections.abc import Mapping
from datetime import datetime
from typing import NotRequired, TypedDict

from services.payments.cli.actions.output import duration, to_text
from services.payments.disputes.poller import DUE_SOON
from services.payments.mode import Mode
from services.payments.statuses import PaymentStatus, RefundStatus


class EntryCounts(TypedDict):
    """Counts of webhook events or inbox entries. `oldest_seconds`: seconds since the oldest one became due."""

    pending: int
    failed: int
    oldest_seconds: float


class OutboxCounts(TypedDict):
    """Events that are not published yet. `oldest_seconds`: age of the oldest one."""

    pending: int
    oldest_seconds: float


class DisputeCounts(TypedDict):
    """`due_seconds`: seconds until the earliest deadline for a response, negative after it; null if no dispute waits for a response."""

    open: int
    due_seconds: float | None


class LastBackfill(TypedDict):
    """`complete_until`: all webhook events before this time have been checked. `checked` and `stored`: counts of the last backfill."""

    complete_until: datetime | None
    ran_at: datetime | None
    checked: int | None
    stored: int | None


class SweepStatus(TypedDict):
    """`due`: payments to verify. `expected_seconds`: how long that takes, null if the rate is unknown."""

    due: int
    calls_per_minute: float | None
    expected_seconds: float | None


class CheckoutTimeout(TypedDict):
    """How long an unpaid checkout lives at Paystack (Paystack's payment_session_timeout).

    `seconds`: 0 if a checkout has no end, null if it could not be read; `error` then says why.
    """

    seconds: int | None
    error: str | None


class WorkerStatus(TypedDict):
    """The report of the worker on this machine; only `error` if it does not answer."""

    error: str | None
    ready: NotRequired[bool]
    reason: NotRequired[str | None]
    circuit_open: NotRequired[bool]
    key_rejected: NotRequired[bool]
    calls_per_minute: NotRequired[dict[str, float]]


class Status(TypedDict):
    """The output of `status --json`. `refunds`: unfinished refunds, and failed ones that need an operator, by status.

    `refunds_refused`: those of the requested refunds that Paystack refused and that are sent again later.
    """

    mode: Mode
    payments: dict[PaymentStatus, int]
    checkout_timeout: CheckoutTimeout
    sweep: SweepStatus
    refunds: dict[RefundStatus, int]
    refunds_refused: int
    refunds_that_need_an_operator: int
    unrelated_charges: int
    rejected_transfers_without_payment: int
    rejected_transfers_failed: int
    disputes: DisputeCounts
    webhook_events: EntryCounts
    inbox: EntryCounts
    outbox: OutboxCounts
    backfill: LastBackfill
    worker: WorkerStatus


def table_rows(status: Status) -> list[tuple[str, str]]:
    """Return the rows of the table: a name, and a text in rich's markup."""
    return [
        ("mode", status["mode"]),
        ("worker", _worker(status["worker"])),
        ("Paystack", _paystack(status["worker"])),
        ("payments", _counts(status["payments"])),
        ("checkout", _checkout(status["checkout_timeout"])),
        ("sweep", _sweep(status["sweep"])),
        ("refunds", _refunds(status)),
        ("unrelated charges", f"{status['unrelated_charges']} with references that are not ours"),
        ("rejected transfers", _rejected_transfers(status)),
        ("disputes", _disputes(status["disputes"])),
        ("webhook events", _entries(status["webhook_events"])),
        ("inbox", _entries(status["inbox"])),
        ("outbox", _pending(status["outbox"])),
        ("last backfill", _backfill(status["backfill"])),
    ]


def _worker(worker: WorkerStatus) -> str:
    if worker["error"] is not None:
        return f"[yellow]{to_text(worker['error'])}[/]"
    return "[green]ready[/]" if worker["ready"] else f"[red]{to_text(worker['reason'])}[/]"


def _paystack(worker: WorkerStatus) -> str:
    if worker["error"] is not None:
        return "[yellow]unknown[/]"
    if worker["key_rejected"]:
        return "[red]rejects our secret key: check PAYSTACK_SECRET_KEY[/]"
    if worker["circuit_open"]:
        return "[red]does not answer: background calls are paused[/]"
    return "[green]answers[/]"


def _counts(counts: Mapping[PaymentStatus, int] | Mapping[RefundStatus, int]) -> str:
    return ", ".join(f"{count} {status}" for status, count in counts.items())


def _refunds(status: Status) -> str:
    refused = (
        f"; {status['refunds_refused']} refused by Paystack, sent again later" if status["refunds_refused"] else ""
    )
    return f"{_counts(status['refunds'])}{refused}; {_needing_operator(status['refunds_that_need_an_operator'])}"


def _rejected_transfers(status: Status) -> str:
    unknown = f"{status['rejected_transfers_without_payment']} whose payment is not known, or not known yet"
    return f"{unknown}; {_needing_operator(status['rejected_transfers_failed'])}"


def _checkout(timeout: CheckoutTimeout) -> str:
    if timeout["seconds"] is None:
        return f"[yellow]timeout unknown: {to_text(timeout['error'])}[/]"
    if timeout["seconds"] == 0:
        return "has no end: no payment session timeout is set at Paystack"
    return f"ends after {duration(timeout['seconds'])}"


def _sweep(sweep: SweepStatus) -> str:
    text = f"{sweep['due']} payments to verify"
    if sweep["expected_seconds"] is not None:
        text += (
            f", which takes {duration(sweep['expected_seconds'])} at {sweep['calls_per_minute']:.0f} calls per minute"
        )
    return text


def _disputes(disputes: DisputeCounts) -> str:
    seconds = disputes["due_seconds"]
    if seconds is None:
        return f"{disputes['open']} open, no response is due"
    due = f"due in {duration(seconds)}" if seconds > 0 else f"overdue by {duration(-seconds)}"
    text = f"the earliest response is {due}"
    return f"{disputes['open']} open, {f'[red]{text}[/]' if seconds < DUE_SOON.total_seconds() else text}"


def _entries(entries: EntryCounts) -> str:
    return f"{_pending(entries)}; {_needing_operator(entries['failed'])}"


def _pending(entries: EntryCounts | OutboxCounts) -> str:
    if not entries["pending"]:
        return "0 pending"
    return f"{entries['pending']} pending, the oldest for {duration(entries['oldest_seconds'])}"


def _needing_operator(count: int) -> str:
    return f"[red]{count} need an operator[/]" if count else "0 need an operator"


def _backfill(backfill: LastBackfill) -> str:
    if backfill["ran_at"] is None:
        return "never"
    return (
        f"{to_text(backfill['ran_at'])} UTC: {backfill['stored']} of {backfill['checked']} webhook events were missing"
    )
