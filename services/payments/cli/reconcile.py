"""reconcile"""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from services.payments.cli.output import (
    AsJson,
    Context,
    Since,
    Until,
    err,
    interruptible,
    out,
    print_rows,
    progress,
    run,
    words,
)
from services.payments.db import sessions
from services.payments.errors import PaystackUnavailable
from services.payments.paystack.errors import PaystackError
from services.payments.reconciliation.paystack_reader import Interrupted, PaystackReader
from services.payments.reconciliation.report import Report
from services.payments.reconciliation.run import compare

PERIOD = timedelta(days=7)
ON_ITS_WAY = timedelta(minutes=10)
"""What began later may be on its way still, and is no difference."""

LONGEST = timedelta(days=92)


def reconcile(
    since: Since = None,
    until: Until = None,
    unsettled_after_days: Annotated[
        int, typer.Option(min=1, max=60, help="Days after which money that was not paid out is a difference.")
    ] = 5,
    as_json: AsJson = False,
) -> None:
    """Compare the ledger, the payments and Paystack: what began in the last week, or in a period.

    Without --to, the last ten minutes are left out: what began then may be on its way.

    Exit code 1 where they differ, 2 where it could not be found out.
    """
    end = until or datetime.now(UTC) - ON_ITS_WAY
    start = since or end - PERIOD
    if not timedelta(0) < end - start <= LONGEST:
        raise typer.BadParameter(f"the period ends after its beginning, and is {LONGEST.days} days at most")
    report = Report(since=start, until=end)

    async def work(context: Context) -> None:
        with progress(shown=not as_json) as bar:
            task = bar.add_task("asking Paystack", total=None)
            async with interruptible() as shutdown:
                reader = PaystackReader(
                    sessions, context.clients.paystack, shutdown, report, lambda _: bar.advance(task)
                )
                try:
                    await compare(reader, unsettled_after=timedelta(days=unsettled_after_days))
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
        _show(report)
    raise typer.Exit(0 if report.agrees else 1)


def _show(report: Report) -> None:
    err.print(
        f"{words(report.since)} to {words(report.until)} UTC: {report.payments} paid payments here,"
        f" {report.transactions} transactions and {report.payouts} payouts at Paystack;"
        f" new in the books: {report.payouts_recorded} payouts, {report.fees_recorded} fees"
    )
    if report.agrees:
        out.print("all agree")
        return
    rows = [(found.kind, found.reference, found.payout, found.here, found.there) for found in report.differences]
    print_rows(("difference", "reference", "payout", "here", "there"), rows)
    out.print(f"{len(report.differences) + report.more} differences")
