"""Events told again: whoever owns the truth writes them into its outbox once more. Consumers do nothing twice, so it harms nobody."""

import sys
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime
from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncEngine

from kit.commands import operate
from kit.moments import check_period, moment

Republish = Callable[[datetime, datetime], AsyncGenerator[int, None]]
"""Writes the events of what happened from one moment to another, a batch a transaction; yields how many each batch held."""


def command(service: str, republish: Republish, engine: AsyncEngine) -> Callable[..., None]:
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
        since: Annotated[datetime, typer.Option("--from", parser=moment, metavar="TIME", help="2h: two hours ago.")],
        until: Annotated[
            datetime | None, typer.Option("--to", parser=moment, metavar="TIME", help="Before then.")
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    ) -> None:
        """Tell what has happened since then once more, as after a queue was purged. Nobody acts on it twice."""
        check_period(since, until)
        shown = not as_json and sys.stderr.isatty()
        total = operate(service, engine, lambda: work(since, until or datetime.now(UTC), shown=shown))
        if as_json:
            typer.echo(f'{{"events": {total}}}')
        else:
            typer.echo(f"{total} events are told again; the worker sends them", err=True)

    return tell_again
