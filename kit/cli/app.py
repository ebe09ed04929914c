"""The commands that every service has (serve, worker, migrate, check-migrations), and a helper for other commands that use the database."""

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

from kit.database_url import role_of
from kit.db.migrations import run_alembic_command
from kit.db.privileges import RoleUnusable
from kit.observability.logging import configure_logging
from kit.settings import Secret, Settings

T = TypeVar("T")
KEEP_ALIVE_SECONDS = 75
"""Longer than the gateway keeps idle connections open, so that it never sends a request on a connection that we are closing."""

GRACE_SECONDS = 15
"""Time that running requests have to complete after SIGTERM."""


def serve(app: str, settings: Settings, port: int) -> None:
    """Serve the app `module:attribute` until SIGTERM."""
    # uvicorn shuts down on SIGTERM, then restores this handler and raises SIGTERM again. The handler makes the exit code 0.
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
    """Run an operator's command that uses the database. After a database error, print one sentence and exit with code 1."""
    configure_logging("WARNING", "console", service)

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


def service_cli(
    package: str,
    settings: Settings,
    *,
    port: int,
    database_url: Secret,
    migration_database_url: Secret | None,
    worker: Callable[[], Awaitable[None]],
) -> typer.Typer:
    """Return the common commands of `python -m <package>`. A service adds its own commands to them.

    Migrations run as the role in `migration_database_url`, which owns the tables. Without it, the application's role owns them.
    """
    name = package.rpartition(".")[2]
    owner_url = migration_database_url or database_url
    cli = typer.Typer(
        help=f"The {name} service.", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
    )

    @cli.command(name="serve")
    def serve_requests() -> None:
        """Serve HTTP requests."""
        serve(f"{package}.app:app", settings, port)

    @cli.command(name="worker")
    def run_worker() -> None:
        """Run the background jobs."""
        configure_logging(settings.log_level, settings.log_format, f"{name}-worker")
        with asyncio.Runner(loop_factory=uvicorn.Config("", log_config=None).get_loop_factory()) as runner:
            runner.run(worker())  # type: ignore[arg-type]

    @cli.command()
    def migrate() -> None:
        """Migrate the database to the revision that this code needs. Safe to run repeatedly and concurrently."""
        configure_logging(settings.log_level, settings.log_format, f"{name}-migrate")
        application, owner = role_of(database_url), role_of(owner_url)
        if application is None and migration_database_url is not None:
            raise SystemExit(f"{name}: {name.upper()}_DATABASE_URL has no user name, so nothing can be granted to it")
        role = None if application == owner else application
        try:
            asyncio.run(run_alembic_command(package, owner_url, "upgrade", "head", application_role=role))
        except RoleUnusable as error:
            raise SystemExit(f"{name}: {name.upper()}_DATABASE_URL: {error}") from None
        typer.echo(f"{name}: the database is at the newest revision.")

    @cli.command(name="check-migrations")
    def check_migrations() -> None:
        """Fail if the models and the migrations differ."""
        try:
            asyncio.run(run_alembic_command(package, owner_url, "check"))
        except CommandError as error:
            raise SystemExit(f"{name}: {error}") from error

    return cli
