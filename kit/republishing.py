"""Events told again: whoever owns the truth writes them into its outbox once more. Consumers do nothing twice, so it harms nobody."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime
from typing import Annotated

import asyncpg
import typer
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from kit.moments import moment
from kit.telemetry import configure_logging

Republish = Callable[[datetime, datetime], AsyncGenerator[int, None]]
"""Writes the events of what happened from one moment to another, a batch a transaction; yields how many each batch held."""


def command(service: str, republish: Republish, engine: AsyncEngine) -> Callable[..., None]:
    """The operator's `republish`."""

    async def work(since: datetime, until: datetime, *, shown: bool) -> int:
        total = 0
        try:
            async for count in republish(since, until):
                total += count
                if shown:
                    typer.echo(f"\r{total} events", nl=False, err=True)
        finally:
            await engine.dispose()
        return total

    def tell_again(
        since: Annotated[datetime, typer.Option("--from", parser=moment, metavar="TIME", help="2h: two hours ago.")],
        until: Annotated[
            datetime | None, typer.Option("--to", parser=moment, metavar="TIME", help="Before then.")
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    ) -> None:
        """Tell what has happened since then once more, as when a queue was purged. Nobody acts on it twice."""
        configure_logging("WARNING", "console", service)
        shown = not as_json and sys.stderr.isatty()
        try:
            total = asyncio.run(work(since, until or datetime.now(UTC), shown=shown))
        except (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
            said = (str(error).splitlines() or [""])[0][:200]
            typer.echo(f"the database cannot be used: {type(error).__name__}: {said}", err=True)
            raise typer.Exit(1) from None
        if as_json:
            typer.echo(f'{{"events": {total}}}')
        else:
            typer.echo(f"{chr(13) if shown else ''}{total} events are told again; the worker sends them", err=True)

    return tell_again
