"""What the command `reconcile` does."""

from datetime import UTC, datetime, timedelta

import typer

from services.payments.cli.actions.command import Context, interruptible, run
from services.payments.cli.actions.output import err, out, print_rows, progress, to_text
from services.payments.clients import open_deliveries_client
from services.payments.db import sessions
from services.payments.deliveries_client import DeliveriesUnavailable
from services.payments.errors import CatalogUnavailable, PaystackUnavailable
from services.payments.paystack.errors import PaystackError
from services.payments.reconciliation.paystack_reader import Interrupted, PaystackReader
from services.payments.reconciliation.report import Report
from services.payments.reconciliation.run import compare

DEFAULT_PERIOD = timedelta(days=7)
IN_PROGRESS = timedelta(minutes=10)
"""Payments that were started within this time may still be in progress, so they are left out by default."""

MAX_PERIOD = timedelta(days=92)


def reconcile(since: datetime | None, until: datetime | None, not_paid_out_after_days: int, *, as_json: bool) -> None:
    """Compare ledger, payments, Paystack and deliveries, and print the differences. Exit code 1: there are some, 2: incomplete."""
    end = until or datetime.now(UTC) - IN_PROGRESS
    start = since or end - DEFAULT_PERIOD
    if not timedelta(0) < end - start <= MAX_PERIOD:
        raise typer.BadParameter(f"the period must end after it begins and last at most {MAX_PERIOD.days} days")
    report = Report(since=start, until=end)

    async def work(context: Context) -> None:
        with progress(shown=not as_json) as bar:
            task = bar.add_task("reading from Paystack", total=None)
            async with interruptible() as shutdown:
                reader = PaystackReader(
                    sessions, context.clients.paystack, shutdown, report, lambda _: bar.advance(task)
                )
                try:
                    async with open_deliveries_client(shutdown) as deliveries:
                        await compare(reader, timedelta(days=not_paid_out_after_days), deliveries)
                except DeliveriesUnavailable as error:
                    raise CatalogUnavailable(f"Not reconciled: the deliveries were not read: {error}.") from error
                except PaystackError as error:
                    raise PaystackUnavailable(f"Not reconciled: {type(error).__name__}: {error}") from error
                except Interrupted as interrupted:
                    raise PaystackUnavailable("Not reconciled: interrupted.") from interrupted

    try:
        run(work)
    except typer.Exit as ended:
        raise typer.Exit(2) from ended
    if as_json:
        typer.echo(report.model_dump_json(indent=2))
    else:
        _print_report(report)
    raise typer.Exit(0 if report.agrees else 1)


def _print_report(report: Report) -> None:
    err.print(
        f"{to_text(report.since)} to {to_text(report.until)} UTC: compared {report.payments} paid payments with"
        f" {report.transactions} transactions and {report.payouts} payouts at Paystack and {report.deliveries} deliveries;"
        f" recorded {report.payouts_recorded} new payouts and {report.fees_recorded} new fees."
    )
    for sentence in report.not_compared:
        out.print(f"Not compared: {sentence}", markup=False, highlight=False, soft_wrap=True)
    if report.agrees:
        out.print("No differences.")
        return
    rows = [
        (difference.kind, difference.reference, difference.payout, difference.here, difference.there)
        for difference in report.differences
    ]
    print_rows(("difference", "reference", "payout", "here", "there"), rows)
    out.print(f"Differences: {len(report.differences) + report.more}")
