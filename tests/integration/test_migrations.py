"""The models and the migrations of every service describe the same tables."""

import asyncpg
import pytest
from pydantic import SecretStr

from dev.servers.postgres import Postgres
from kit.db.migrations import DatabaseUnusable, run_alembic_command
from tests.fixtures.environment import PORTS, state


@pytest.mark.parametrize("service", ["auth", "catalog", "payments"])
async def test_migrated_database_when_compared_with_the_models_has_no_difference(
    postgres: Postgres, service: str
) -> None:
    await run_alembic_command(f"services.{service}", SecretStr(postgres.owner_url(service)), "check")


@pytest.mark.usefixtures("postgres")
async def test_migrate_when_the_database_has_another_encoding_says_how_to_create_it() -> None:
    server = f"postgresql://postgres:{state.secret('postgres_superuser')}@127.0.0.1:{PORTS['postgres']}"
    administrator = await asyncpg.connect(f"{server}/postgres", timeout=5)
    ascii_only = SecretStr(f"{server}/ascii_only")
    try:
        await administrator.execute("CREATE DATABASE ascii_only TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'")
        with pytest.raises(DatabaseUnusable, match="encoding SQL_ASCII: create it with ENCODING 'UTF8'"):
            await run_alembic_command("services.catalog", ascii_only, "upgrade", "head")
    finally:
        await administrator.execute("DROP DATABASE IF EXISTS ascii_only")
        await administrator.close(timeout=5)
