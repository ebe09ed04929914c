"""The commands that show the work of the background jobs or do it at once: `status`, `sweep`, `backfill` and `reconcile`."""

from datetime import datetime
from typing import Annotated

import typer

from kit.cli.lazy import call
from kit.cli.options import AsJson, Since, Until
from kit.cli.times import check_period, parse_time
from services.payments.cli.options import ACTIONS


def status(as_json: AsJson = False) -> None:
    """Show pending and failed work, open disputes, and whether the worker and Paystack answer.

    Counting stops at 10,000 (payments to verify: 100,000). Exit code 1: the database cannot be used.
    """
    call(f"{ACTIONS}.status:status", as_json=as_json)


def sweep(
    everything: Annotated[
        bool,
        typer.Option("--all", help="Verify every pending or failed payment, including those that are not due yet."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Verify the due payments (pending or failed) at Paystack now, within the rate limit.

    Exit code 1: the sweep was interrupted, or not all payments could be verified.
    """
    call(f"{ACTIONS}.sweep:sweep", everything=everything, as_json=as_json)


def backfill(since: Since = None, until: Until = None, as_json: AsJson = False) -> None:
    """Fetch missed webhook events from Paystack and store them. The worker processes them.

    Without --from and --to: the events since the last complete backfill, except those of the last two minutes: Paystack may still
    deliver them. Only with --to: the events of the 72 hours before it.
    Exit code 1: the backfill is incomplete.
    """
    check_period(since, until)
    call(f"{ACTIONS}.backfill:backfill", since, until, as_json=as_json)


def reconcile(
    since: Since = None,
    until: Annotated[
        datetime | None,
        typer.Option(
            "--to", parser=parse_time, metavar="TIME", help="End of the period. Default: ten minutes before now."
        ),
    ] = None,
    not_paid_out_after_days: Annotated[
        int,
        typer.Option(
            min=1, max=60, help="Report payments that were paid more than this many days ago and are in no payout."
        ),
    ] = 5,
    as_json: AsJson = False,
) -> None:
    """Compare the ledger, the payments, Paystack and the deliveries of catalog for a period, by default the last seven days.

    Without --to, payments started in the last ten minutes are left out, because they may still be in progress.
    Exit code 1: there are differences; 2: the comparison could not be completed.
    """
    call(f"{ACTIONS}.reconcile:reconcile", since, until, not_paid_out_after_days, as_json=as_json)
