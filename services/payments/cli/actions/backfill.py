"""What the command `backfill` does."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import typer

from services.payments.cli.actions.command import Context, interruptible, run
from services.payments.cli.actions.output import err, print_json, progress
from services.payments.db import sessions
from services.payments.webhooks.backfill import FIRST_PERIOD, Backfill, BackfillReport


def backfill(since: datetime | None, until: datetime | None, *, as_json: bool) -> None:
    """Fetch missed webhook events from Paystack, and print how many were missing. Exit with code 1 if that is incomplete."""

    async def work(context: Context) -> BackfillReport:
        job = Backfill(sessions, context.clients.paystack, context.notifier)
        with progress(shown=not as_json) as bar:
            task = bar.add_task("checking webhook events", total=None)

            def show_progress(so_far: BackfillReport) -> None:
                bar.update(task, completed=so_far.checked)

            async with interruptible() as shutdown:
                if since is None and until is None:
                    report = await job.catch_up(shutdown, timedelta(0), show_progress)
                else:
                    end = until or datetime.now(UTC)
                    report = await job.backfill_period(shutdown, since or end - FIRST_PERIOD, end, show_progress)
        return report or BackfillReport(error="Another process is running a backfill.")

    report = run(work)
    if as_json:
        print_json(asdict(report))
    else:
        err.print(f"{report.checked} webhook events checked, {report.stored} of them were missing and are stored now.")
    if not report.complete:
        interrupted = "Interrupted. Run the command again: events that are stored already are skipped."
        err.print(report.error or interrupted, style="red", markup=False)
        raise typer.Exit(1)
