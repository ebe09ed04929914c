"""sweep | backfill"""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from kit.cli.times import check_period
from services.payments import clients
from services.payments.db import engine, sessions
from services.payments.operators.terminal import (
    AsJson,
    Since,
    Until,
    duration,
    err,
    interruptible,
    print_json,
    progress,
    run,
)
from services.payments.recovery.backfill import FIRST_LOOK_BACK, Backfill, Found
from services.payments.recovery.sweep import Sweeper, bring_forward, count_due, seconds_for
from services.payments.wakeup import Doorbell


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

    async def work() -> dict[str, Any]:
        clients.paystack()  # or say that there is no key
        bell = Doorbell(engine, "notices")
        async with sessions.begin() as session:
            if everything:
                await bring_forward(session)
            due = await count_due(session)
        said = seconds_for(due)
        if not as_json:
            err.print(f"{due} payments to ask about, which takes about {duration(said)}")
        with progress(shown=not as_json) as bar:
            task = bar.add_task("asking", total=due)

            def told(answered: bool) -> None:
                answers.append(answered)
                bar.advance(task)

            async with interruptible() as shutdown:
                began = datetime.now(UTC)
                await Sweeper(sessions).sweep(shutdown, told)
        bell.ring()
        await bell.rung()
        return {
            "due": due,
            "asked": len(answers),
            "answered": sum(answers),
            "interrupted": shutdown.requested,
            "seconds": round((datetime.now(UTC) - began).total_seconds(), 1),
            "seconds_expected": round(said, 1),
        }

    found = run(work)
    unanswered = found["asked"] - found["answered"]
    elsewhere = 0 if found["interrupted"] else max(0, found["due"] - found["asked"])
    if as_json:
        print_json(found)
    else:
        err.print(f"asked about {found['asked']} in {duration(found['seconds'])}")
    if elsewhere:
        err.print(f"{elsewhere} are in the hands of the worker, or of whoever else has them locked")
    if found["interrupted"]:
        err.print("interrupted; the worker asks about the others when their turn comes", style="red")
    if unanswered:
        err.print(f"{unanswered} were not answered; the worker asks again", style="red")
    if found["interrupted"] or unanswered:
        raise typer.Exit(1)


def backfill(since: Since = None, until: Until = None, as_json: AsJson = False) -> None:
    """Fetch notices that never came: since the last backfill, or of the time that is given.

    Without --from and --to, the last two minutes are left to the next one: their notices may be on their way.
    """
    check_period(since, until)

    async def work() -> dict[str, Any]:
        clients.paystack()
        bell = Doorbell(engine, "notices")
        filler = Backfill(sessions, bell)
        with progress(shown=not as_json) as bar:
            task = bar.add_task("looking through Paystack's events", total=None)

            def told(now: Found) -> None:
                bar.update(task, completed=now.seen)

            async with interruptible() as shutdown:
                if since is None and until is None:
                    found = await filler.catch_up(shutdown, timedelta(0), told)
                else:
                    to = until or datetime.now(UTC)
                    found = await filler.fetch(shutdown, since or to - FIRST_LOOK_BACK, to, told)
        await bell.rung()
        return asdict(found or Found(error="another process is at it"))

    found = run(work)
    if as_json:
        print_json(found)
    else:
        err.print(f"looked through {found['seen']} events; {found['stored']} had never come and are stored now")
    if not found["complete"]:
        err.print(found["error"] or "ended before its end; it begins there again", style="red", markup=False)
        raise typer.Exit(1)
