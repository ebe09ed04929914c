"""Run the commands `migrate` and `check-migrations`.

Each service has `settings.py` with `<name>_database_url` and `<name>_migration_database_url`.
"""

import asyncio

import typer
from alembic.util.exc import CommandError
from pydantic import SecretStr

from kit.cli.lazy import load
from kit.database_url import role_of
from kit.db.migrations import DatabaseUnusable, run_alembic_command
from kit.db.privileges import RoleUnusable
from kit.observability.logging import configure_logging
from kit.settings import Settings


def migrate(package: str) -> None:
    """Migrate the database of a service to the newest revision, as the role that owns the tables.

    That is the role in `<name>_migration_database_url`; without it, the application's role owns them.
    """
    settings, name = load(f"{package}.settings:settings"), _name(package)
    configure_logging(settings.log_level, settings.log_format, f"{name}-migrate")
    database_url, owner_url = getattr(settings, f"{name}_database_url"), _owner_url(settings, name)
    application, owner = role_of(database_url), role_of(owner_url)
    if application is None and owner_url is not database_url:
        raise SystemExit(f"{name}: {name.upper()}_DATABASE_URL has no user name: add that of the application's role")
    role = None if application == owner else application
    try:
        asyncio.run(run_alembic_command(package, owner_url, "upgrade", "head", application_role=role))
    except DatabaseUnusable as error:
        raise SystemExit(f"{name}: {error}") from None
    except RoleUnusable as error:
        raise SystemExit(f"{name}: {name.upper()}_DATABASE_URL: {error}") from None
    typer.echo(f"{name}: the database is at the newest revision.")


def check_migrations(package: str) -> None:
    """Exit with code 1 if the models and the migrations of a service differ."""
    settings, name = load(f"{package}.settings:settings"), _name(package)
    try:
        asyncio.run(run_alembic_command(package, _owner_url(settings, name), "check"))
    except CommandError as error:
        raise SystemExit(f"{name}: {error}") from error


def _owner_url(settings: Settings, name: str) -> SecretStr:
    """Return the database URL of the role that owns the tables of a service."""
    url: SecretStr = getattr(settings, f"{name}_migration_database_url") or getattr(settings, f"{name}_database_url")
    return url


def _name(package: str) -> str:
    """Return the name of a service, with which the names of its settings begin: `payments` for `services.payments`."""
    return package.rpartition(".")[2]
