"""The models and the migrations of every service describe the same tables."""

import pytest
from pydantic import SecretStr

from dev.servers.postgres import Postgres
from kit.db.migrations import run_alembic_command


@pytest.mark.parametrize("service", ["auth", "catalog", "payments"])
async def test_migrated_database_when_compared_with_the_models_has_no_difference(
    postgres: Postgres, service: str
) -> None:
    await run_alembic_command(f"services.{service}", SecretStr(postgres.owner_url(service)), "check")
