"""The command `sweep`."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Annotated

import typer

from services.payments.cli.output import AsJson, Context, duration, err, interruptible, print_json, progress, run
from services.payments.db import Topic, sessions
from services.payments.settlement.sweeper import Sweeper, bring_forward, count_due, expected_seconds


@dataclass(frozen=True, slots=True)
class SweepReport:
    """The result of one sweep, as `--json` prints it. Counts are of payments."""

    due: int
    asked: int
    answered: int
    interrupted: bool
    seconds: float
    seconds_expected: float


def sweep(
    everything: Annotated[
        bool, typer.Option("--all", help="Also those whose turn has not come: every pending payment.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Ask Paystack about the pending payments that are due, at its pace.

    Exit code 1 where it was interrupted, or Paystack did not answer about all of them.
    """
    answers: list[bool] = []

    async def work(context: Context) -> SweepReport:
        paystack = context.clients.paystack
        async with sessions.begin() as session:
            if everything:
                await bring_forward(session)
            due = await count_due(session)
        said = expected_seconds(due, paystack.rate_limit)
        if not as_json:
            err.print(f"{due} payments to ask about, which takes about {duration(said)}")
        with progress(shown=not as_json) as bar:
            task = bar.add_task("asking", total=due)

            def told(answered: bool) -> None:
                answers.append(answered)
                bar.advance(task)

            async with interruptible() as shutdown:
                began = datetime.now(UTC)
                await Sweeper(sessions, paystack).sweep(shutdown, told)
        context.notifier.notify(Topic.OUTBOX, Topic.REFUNDS)
        return SweepReport(
            due=due,
            asked=len(answers),
            answered=sum(answers),
            interrupted=shutdown.requested,
            seconds=round((datetime.now(UTC) - began).total_seconds(), 1),
            seconds_expected=round(said, 1),
        )

    found = run(work)
    unanswered = found.asked - found.answered
    elsewhere = 0 if found.interrupted else max(0, found.due - found.asked)
    if as_json:
        print_json(asdict(found))
    else:
        err.print(f"asked about {found.asked} in {duration(found.seconds)}")
    if elsewhere:
        err.print(f"{elsewhere} are in the hands of the worker, or of whoever else has them locked")
    if found.interrupted:
        err.print("interrupted; the worker asks about the others when their turn comes", style="red")
    if unanswered:
        err.print(f"{unanswered} were not answered; the worker asks again", style="red")
    if found.interrupted or unanswered:
        raise typer.Exit(1)
