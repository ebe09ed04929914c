"""The operator's command `republish`: add the events of a period to the outbox again. Consumers ignore events that they have processed."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncEngine

from kit.audit import entries as audit
from kit.audit.actor import command_actor
from kit.audit.entries import AuditEntry
from kit.cli.app import run_command
from kit.cli.times import check_period, parse_time
from kit.db.engine import create_sessionmaker
from kit.messaging.republish import Republish


def republish_command(
    service: str, republish: Republish, audit_entries: type[AuditEntry], engine: AsyncEngine
) -> Callable[..., None]:
    """Return the function of the command `republish`."""
    sessions = create_sessionmaker(engine)

    async def work(since: datetime, until: datetime, *, show_progress: bool) -> int:
        total = 0
        async with sessions.begin() as session:
            period = f"{since.isoformat()}/{until.isoformat()}"
            await audit.record(session, audit_entries, command_actor(), "events.republished", period)
        async for count in republish(since, until):
            total += count
            if show_progress:
                typer.echo(f"\r{total} events", nl=False, err=True)
        if show_progress:
            typer.echo(err=True)
        return total

    def command(
        since: Annotated[
            datetime,
            typer.Option(
                "--from",
                parser=parse_time,
                metavar="TIME",
                help="Start of the period, such as 2026-11-23T09:30, or 2h for two hours ago.",
            ),
        ],
        until: Annotated[
            datetime | None,
            typer.Option("--to", parser=parse_time, metavar="TIME", help="End of the period. Default: now."),
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    ) -> None:
        """Republish the events of a period, for example after a queue was purged. Consumers ignore events that they have processed."""
        check_period(since, until)
        show_progress = not as_json and sys.stderr.isatty()
        total = run_command(
            service, engine, lambda: work(since, until or datetime.now(UTC), show_progress=show_progress)
        )
        if as_json:
            typer.echo(f'{{"events": {total}}}')
        else:
            typer.echo(f"{total} events are in the outbox again. The worker publishes them.", err=True)

    return command
