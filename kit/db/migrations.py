"""Run the migrations of a service under a lock."""

import asyncio
import os
from collections.abc import Callable

from alembic import command, context
from alembic.config import Config
from pydantic import SecretStr
from sqlalchemy import MetaData, text
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from kit.database_url import async_url, tls_arguments
from kit.db.columns import render_item
from kit.db.privileges import grant_privileges
from kit.db.schema import migrations_folder
from kit.settings import read_secret_file

LOCK = 0x5348_4F50  # the bytes of "SHOP"
"""The advisory lock that allows one migration of a database at a time."""


class DatabaseUnusable(Exception):
    """The database cannot be migrated; the message says why."""


def alembic_config(package: str) -> Config:
    """Return Alembic's configuration for a service package such as `services.auth`."""
    found = Config()
    found.set_main_option("script_location", str(migrations_folder(package)))
    return found


def run_migrations(metadata: MetaData) -> None:
    """Run the migrations. Each service's migrations/env.py calls this.

    Uses the connection from `run_alembic_command`. The `alembic` command gives no connection: then the URL is in an environment variable.
    `database_url_variables` in the section of alembic.ini (`alembic -n catalog`) names the variables; the first one that is set is used.
    """

    def migrate(connection: Connection) -> None:
        context.configure(
            connection=connection,
            target_metadata=metadata,
            compare_type=True,
            compare_server_default=True,
            render_item=render_item,
        )
        with context.begin_transaction():
            context.run_migrations()

    existing: Connection | None = context.config.attributes.get("connection")
    if existing is not None:
        migrate(existing)
        return
    names = (context.config.get_main_option("database_url_variables") or "").split()
    urls = [url for name in names if (url := read_secret_file(name) or os.environ.get(name))]
    if not urls:
        raise SystemExit(f"{' and '.join(names) or 'database_url_variables in alembic.ini'}: not set")
    asyncio.run(_run_locked(SecretStr(urls[0]), migrate))


async def run_alembic_command(
    package: str, url: SecretStr, name: str, *args: str, application_role: str | None = None
) -> None:
    """Run an Alembic command (`upgrade`, `check`, ...) on a new connection, in one transaction, under the migration lock.

    In the same transaction, grant the privileges of an application to `application_role`, unless it is None. If the process is killed
    midway, the transaction is rolled back and the lock is released. Raises DatabaseUnusable, RoleUnusable.
    """

    def work(connection: Connection) -> None:
        encoding = connection.execute(text("SHOW server_encoding")).scalar_one()
        if encoding != "UTF8":  # names and searches need Unicode, and Postgres normalizes only UTF8
            raise DatabaseUnusable(f"the database has the encoding {encoding}: create it with ENCODING 'UTF8'")
        configuration = alembic_config(package)
        configuration.attributes["connection"] = connection
        getattr(command, name)(configuration, *args)
        if application_role is not None:
            grant_privileges(connection, application_role)

    await _run_locked(url, work)


async def _run_locked(url: SecretStr, work: Callable[[Connection], None]) -> None:
    engine = create_async_engine(async_url(url), poolclass=NullPool, connect_args={**tls_arguments(url), "timeout": 10})
    try:
        async with engine.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            await connection.run_sync(work)
    finally:
        await engine.dispose()
