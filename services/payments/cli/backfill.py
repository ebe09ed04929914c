"""The command `backfill`."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import typer

from kit.cli.times import check_period
from services.payments.cli.output import AsJson, Context, Since, Until, err, interruptible, print_json, progress, run
from services.payments.db import sessions
from services.payments.webhooks.backfill import FIRST_PERIOD, Backfill, BackfillReport


def backfill(since: Since = None, until: Until = None, as_json: AsJson = False) -> None:
    """Fetch notices that never came: since the last backfill, or of the time that is given.

    Without --from and --to, the last two minutes are left to the next one: their notices may be on their way.
    """
    check_period(since, until)

    async def work(context: Context) -> BackfillReport:
        filler = Backfill(sessions, context.clients.paystack, context.notifier)
        with progress(shown=not as_json) as bar:
            task = bar.add_task("looking through Paystack's events", total=None)

            def told(now: BackfillReport) -> None:
                bar.update(task, completed=now.seen)

            async with interruptible() as shutdown:
                if since is None and until is None:
                    found = await filler.catch_up(shutdown, timedelta(0), told)
                else:
                    to = until or datetime.now(UTC)
                    found = await filler.fetch(shutdown, since or to - FIRST_PERIOD, to, told)
        return found or BackfillReport(error="another process is at it")

    found = run(work)
    if as_json:
        print_json(asdict(found))
    else:
        err.print(f"looked through {found.seen} events; {found.stored} had never come and are stored now")
    if not found.complete:
        err.print(found.error or "ended before its end; it begins there again", style="red", markup=False)
        raise typer.Exit(1)
