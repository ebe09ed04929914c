"""Connections with URLs as cloud providers print them."""

import asyncpg
import pytest
from pydantic import SecretStr
from sqlalchemy import text

from dev.servers.postgres import Postgres
from kit.database_url import driver_url
from kit.db.engine import create_engine


@pytest.mark.parametrize(
    "parameters",
    ["", "?sslmode=disable", "?sslmode=prefer&channel_binding=prefer", "?application_name=x&sslmode=allow"],
)
async def test_url_with_parameters_of_libpq_connects(postgres: Postgres, parameters: str) -> None:
    url = SecretStr(postgres.owner_url("kit").replace("postgresql://", "postgres://") + parameters)
    engine = create_engine(url, name="url-test")
    async with engine.connect() as connection:
        assert (await connection.execute(text("SHOW application_name"))).scalar() == "url-test"
    await engine.dispose()
    driver = await asyncpg.connect(driver_url(url), timeout=5)
    assert await driver.fetchval("SELECT 1", timeout=5) == 1
    await driver.close(timeout=5)
