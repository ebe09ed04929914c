"""What the command `sweep` does."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import typer

from services.payments.cli.actions.command import Context, interruptible, run
from services.payments.cli.actions.output import duration, err, print_json, progress
from services.payments.db import Topic, sessions
from services.payments.settlement.sweeper import Sweeper, count_due, expected_seconds, make_all_due


@dataclass(frozen=True, slots=True)
class SweepReport:
    """The result of a sweep, as `--json` prints it.

    `due`: number of payments that were due at the start. `attempted`: how many of them were tried. `verified`: how many were verified.
    """

    due: int
    attempted: int
    verified: int
    interrupted: bool
    seconds: float
    expected_seconds: float


def sweep(*, everything: bool, as_json: bool) -> None:
    """Verify the due payments, or all pending and failed ones, and print how many were verified. Exit with code 1 if some were not."""
    results: list[bool] = []

    async def work(context: Context) -> SweepReport:
        paystack = context.clients.paystack
        async with sessions.begin() as session:
            if everything:
                await make_all_due(session)
            due = await count_due(session)
        expected = expected_seconds(due, paystack.rate_limit)
        if not as_json:
            err.print(f"{due} payments are due. Verifying them takes about {duration(expected)}.")
        with progress(shown=not as_json) as bar:
            task = bar.add_task("verifying payments", total=due)

            def count_result(verified: bool) -> None:
                results.append(verified)
                bar.advance(task)

            async with interruptible() as shutdown:
                started_at = datetime.now(UTC)
                await Sweeper(sessions, paystack).sweep(shutdown, count_result)
        context.notifier.notify(Topic.OUTBOX, Topic.REFUNDS)
        return SweepReport(
            due=due,
            attempted=len(results),
            verified=sum(results),
            interrupted=shutdown.requested,
            seconds=round((datetime.now(UTC) - started_at).total_seconds(), 1),
            expected_seconds=round(expected, 1),
        )

    report = run(work)
    _print_report(report, as_json=as_json)
    if report.interrupted or report.verified < report.attempted:
        raise typer.Exit(1)


def _print_report(report: SweepReport, *, as_json: bool) -> None:
    not_verified = report.attempted - report.verified
    skipped = 0 if report.interrupted else max(0, report.due - report.attempted)
    if as_json:
        print_json(asdict(report))
    else:
        err.print(f"{report.verified} of {report.attempted} payments verified in {duration(report.seconds)}.")
    if skipped:
        err.print(f"{skipped} due payments skipped: the worker or another process has locked them.")
    if report.interrupted:
        err.print("Interrupted. The worker verifies the other payments when they are due.", style="red")
    if not_verified:
        err.print(f"{not_verified} payments could not be verified. The worker verifies them again later.", style="red")
