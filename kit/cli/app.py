"""The command line that every service has: serve, worker, migrate; and how a command of its own ends."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg
import typer
import uvicorn
from alembic.util.exc import CommandError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from kit.db.migrations import on_connection
from kit.observability.logging import configure_logging
from kit.settings import Secret, Settings

T = TypeVar("T")
KEEP_ALIVE_SECONDS = 75  # longer than the gateway keeps an idle connection, or its next request meets a closed one
GRACE_SECONDS = 15


def serve(app: str, settings: Settings, port: int) -> None:
    """Answer requests for the app `module:attribute`, until SIGTERM."""
    # uvicorn shuts down on SIGTERM and then raises it again for whoever held it before: here that is a clean exit.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    uvicorn.run(
        app,
        host=settings.http_host,
        port=port,
        workers=settings.web_concurrency if settings.web_concurrency > 1 else None,
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=1000,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


def run_command(service: str, engine: AsyncEngine, work: Callable[[], Awaitable[T]]) -> T:
    """Do an operator's work on the database. That it cannot be used is said in a sentence, with exit code 1."""
    configure_logging("WARNING", "console", service)

    async def whole() -> T:
        try:
            return await work()
        finally:
            await engine.dispose()

    try:
        return asyncio.run(whole())
    except (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        said = (str(error).splitlines() or [""])[0][:200]
        typer.echo(f"the database cannot be used: {type(error).__name__}: {said}", err=True)
    raise typer.Exit(1)


def service_cli(
    package: str, settings: Settings, *, port: int, database_url: Secret, worker: Callable[[], Awaitable[None]]
) -> typer.Typer:
    """The commands of `python -m <package>`; a service adds its own."""
    name = package.rpartition(".")[2]
    cli = typer.Typer(
        help=f"The {name} service.", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
    )

    @cli.command(name="serve")
    def answer() -> None:
        """Answer requests."""
        serve(f"{package}.app:app", settings, port)

    @cli.command(name="worker")
    def work() -> None:
        """Do what happens by itself."""
        configure_logging(settings.log_level, settings.log_format, f"{name}-worker")
        with asyncio.Runner(loop_factory=uvicorn.Config("", log_config=None).get_loop_factory()) as runner:
            runner.run(worker())  # type: ignore[arg-type]

    @cli.command()
    def migrate() -> None:
        """Bring the database to the revision that this code needs. Safe to run again, and from several places at once."""
        configure_logging(settings.log_level, settings.log_format, f"{name}-migrate")
        asyncio.run(on_connection(package, database_url, "upgrade", "head"))
        typer.echo(f"{name}: the database is at the newest revision")

    @cli.command(name="check-migrations")
    def check_migrations() -> None:
        """Fail where the models and the migrations differ."""
        try:
            asyncio.run(on_connection(package, database_url, "check"))
        except CommandError as error:
            raise SystemExit(f"{name}: {error}") from error

    return cli
