"""The commands that every service has (serve, worker, migrate, check-migrations), and a helper for other commands that use the database."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg
import typer
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from kit.cli import processes
from kit.database_url import role_of
from kit.db.privileges import RoleUnusable
from kit.observability.logging import configure_logging
from kit.settings import Secret, Settings

T = TypeVar("T")


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
    database_url: Secret,
    migration_database_url: Secret | None,
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
        processes.serve(package)

    @cli.command(name="worker")
    def run_worker() -> None:
        """Run the background jobs."""
        processes.work(package)

    @cli.command()
    def migrate() -> None:
        """Migrate the database to the revision that this code needs. Safe to run repeatedly and concurrently."""
        from kit.db.migrations import run_alembic_command  # Alembic takes a fifth of a second, for two of the commands

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
        from alembic.util.exc import CommandError

        from kit.db.migrations import run_alembic_command

        try:
            asyncio.run(run_alembic_command(package, owner_url, "check"))
        except CommandError as error:
            raise SystemExit(f"{name}: {error}") from error

    return cli
