"""Connections with URLs as cloud providers print them."""

import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from pydantic import SecretStr
from sqlalchemy import text

from dev.servers.postgres import Postgres
from kit.database_url import driver_url, tls_arguments
from kit.db.engine import create_engine
from kit.db.reading import create_reading_engine
from tests.fixtures.tls_proxy import Authority, tls_proxy


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


@pytest.fixture
async def tls(postgres: Postgres, tmp_path: Path) -> AsyncIterator[str]:
    """The URL of Postgres through TLS, with a certificate for `localhost` of the authority in right.pem."""
    Authority.create(tmp_path, "wrong")
    context = Authority.create(tmp_path, "right").server_context("localhost")
    async with tls_proxy(postgres.port, context) as port:
        yield postgres.owner_url("kit").replace(f"127.0.0.1:{postgres.port}", f"HOST:{port}")


async def connect(url: str) -> None:
    """Connect as every part of the kit does: the engine, the reading engine and asyncpg."""
    secret = SecretStr(url)
    for create in (create_engine, create_reading_engine):
        engine = create(secret, name="tls-test")
        try:
            async with engine.connect() as connection:
                await connection.execute(text("SELECT 1"))
        finally:
            await engine.dispose()
    driver = await asyncpg.connect(driver_url(secret), **tls_arguments(secret), timeout=5)
    await driver.close(timeout=5)


@pytest.mark.parametrize(
    ("host", "mode", "authority"),
    [
        ("localhost", "verify-full", "right"),
        ("127.0.0.1", "verify-ca", "right"),
        ("127.0.0.1", "require", "right"),
    ],
)
async def test_url_with_the_root_certificate_of_the_server_connects(
    tls: str, tmp_path: Path, host: str, mode: str, authority: str
) -> None:
    await connect(f"{tls.replace('HOST', host)}?sslmode={mode}&sslrootcert={tmp_path / authority}.pem")


@pytest.mark.parametrize(
    ("host", "mode", "authority"),
    [
        ("127.0.0.1", "verify-full", "right"),  # the certificate is for another host
        ("localhost", "verify-full", "wrong"),
        ("localhost", "verify-ca", "wrong"),
        ("localhost", "require", "wrong"),
    ],
)
async def test_url_with_another_root_certificate_or_host_does_not_connect(
    tls: str, tmp_path: Path, host: str, mode: str, authority: str
) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        await connect(f"{tls.replace('HOST', host)}?sslmode={mode}&sslrootcert={tmp_path / authority}.pem")


async def test_url_that_trusts_the_operating_system_refuses_an_unknown_authority(tls: str) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        await connect(f"{tls.replace('HOST', 'localhost')}?sslmode=verify-full&sslrootcert=system")
