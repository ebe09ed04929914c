"""The operator's command `republish`: publish the events of a period again. Consumers ignore events that they have processed."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncEngine

from kit.cli.app import run_command
from kit.cli.times import check_period, parse_time
from kit.messaging.republish import Republish


def republish_command(service: str, republish: Republish, engine: AsyncEngine) -> Callable[..., None]:
    """The operator's `republish`."""

    async def work(since: datetime, until: datetime, *, shown: bool) -> int:
        total = 0
        async for count in republish(since, until):
            total += count
            if shown:
                typer.echo(f"\r{total} events", nl=False, err=True)
        if shown:
            typer.echo(err=True)
        return total

    def tell_again(
        since: Annotated[
            datetime, typer.Option("--from", parser=parse_time, metavar="TIME", help="2h: two hours ago.")
        ],
        until: Annotated[
            datetime | None, typer.Option("--to", parser=parse_time, metavar="TIME", help="Before then.")
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    ) -> None:
        """Tell what has happened since then once more, as after a queue was purged. Nobody acts on it twice."""
        check_period(since, until)
        shown = not as_json and sys.stderr.isatty()
        total = run_command(service, engine, lambda: work(since, until or datetime.now(UTC), shown=shown))
        if as_json:
            typer.echo(f'{{"events": {total}}}')
        else:
            typer.echo(f"{total} events are told again; the worker sends them", err=True)

    return tell_again
