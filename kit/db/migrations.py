"""Migrations of one service: run once under a lock; a service does not serve on another schema than its own."""

import asyncio
import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from alembic import command, context
from alembic.config import Config
from alembic.script import ScriptDirectory
from pydantic import SecretStr
from sqlalchemy import MetaData, text
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from kit.db.columns import render_item
from kit.db.engine import async_url
from kit.http.health import Check
from kit.settings import Secret, read_secret_file

LOCK = 0x5348_4F50  # "SHOP": one migration at a time in a database


def config(package: str) -> Config:
    """Alembic's configuration for a service package such as `services.auth`."""
    folder = Path(str(import_module(package).__file__)).parent / "migrations"
    made = Config()
    made.set_main_option("script_location", str(folder))
    return made


def run(metadata: MetaData) -> None:
    """For each service's migrations/env.py: migrate on the connection that `migrate` hands over.

    The alembic command hands none over: then it is made from the variable that the section of alembic.ini names (`alembic -n catalog`).
    """

    def work(connection: Connection) -> None:
        context.configure(
            connection=connection,
            target_metadata=metadata,
            compare_type=True,
            compare_server_default=True,
            render_item=render_item,
        )
        with context.begin_transaction():
            context.run_migrations()

    given: Connection | None = context.config.attributes.get("connection")
    if given is not None:
        work(given)
        return
    name = context.config.get_main_option("database_url_variable") or ""
    url = read_secret_file(name) or os.environ.get(name)
    if not url:
        raise SystemExit(f"{name or 'database_url_variable in alembic.ini'} is not set")
    asyncio.run(_locked(SecretStr(url), work))


async def on_connection(package: str, url: Secret, act: str, *args: str) -> None:
    """Run an alembic command (`upgrade`, `check`, ...) on a connection of its own, under the migration lock.

    The lock is of the transaction: it is gone with the connection, however that ends, and a migration that dies midway leaves nothing.
    """

    def work(connection: Connection) -> None:
        made = config(package)
        made.attributes["connection"] = connection
        getattr(command, act)(made, *args)

    await _locked(url, work)


async def _locked(url: SecretStr, work: Callable[[Connection], None]) -> None:
    engine = create_async_engine(async_url(url), poolclass=NullPool, connect_args={"timeout": 10})
    try:
        async with engine.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            await connection.run_sync(work)
    finally:
        await engine.dispose()


def schema_check(package: str, engine: AsyncEngine) -> Check:
    """A readiness check: the database answers and stands at the revision that this code was written for."""
    head = ScriptDirectory.from_config(config(package)).get_current_head()

    async def check() -> str | None:
        async with engine.connect() as connection:
            if (await connection.execute(text("SELECT to_regclass('alembic_version')"))).scalar_one() is None:
                return f"the database is empty, this code needs revision {head}: run the migrations"
            found = (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalar_one_or_none()
        return None if found == head else f"schema is at {found}, this code needs {head}: run the migrations"

    return check
