"""Run commands that use the database of a service. Each service has `db.py` with `engine`."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg
import typer
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from kit.cli.lazy import load
from kit.observability.logging import configure_logging

T = TypeVar("T")


def run_command(package: str, work: Callable[[], Awaitable[T]]) -> T:
    """Run an operator's command that uses the database. After a database error, print one sentence and exit with code 1."""
    configure_logging("WARNING", "console", package.rpartition(".")[2])
    engine: AsyncEngine = load(f"{package}.db:engine")

    async def run() -> T:
        try:
            return await work()
        finally:
            await engine.dispose()

    try:
        return asyncio.run(run())
    except (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        reason = (str(error).splitlines() or [""])[0][:200]
        typer.echo(f"Error: the database cannot be used: {type(error).__name__}: {reason}", err=True)
    raise typer.Exit(1)
