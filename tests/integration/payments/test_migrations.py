"""A migration that is killed midway leaves nothing and can run again; no process is ready on a schema that is not the newest."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from pydantic import SecretStr

from dev.process import ports
from dev.servers.postgres import Postgres
from kit.db.migrations import run_alembic_command
from tests.fixtures.failpoints import environment

PACKAGE = "services.payments"
TABLES = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"


@pytest.fixture
async def empty_database(postgres: Postgres) -> AsyncIterator[str]:
    """The URL of an empty database."""
    url = postgres.owner_url("half")
    yield url
    await run_alembic_command(PACKAGE, SecretStr(url), "downgrade", "base")


async def _run(url: str, verb: str, env: dict[str, str] | None = None) -> int:
    """Run a command of payments in a process of its own. Return its exit code."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", PACKAGE, verb),
        env={**os.environ, "PAYMENTS_DATABASE_URL": url, **(env or {})},
        stdout=asyncio.subprocess.DEVNULL,
    )
    async with asyncio.timeout(60):
        return await process.wait()


async def _fetch(url: str, query: str) -> Any:
    connection = await asyncpg.connect(url, timeout=5, command_timeout=5)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close(timeout=5)


@asynccontextmanager
async def _serving(url: str, verb: str) -> AsyncIterator[httpx.Response]:
    """Run a process on that database, and yield the answer of its /readyz."""
    (port,) = ports.reserve_free(1)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", PACKAGE, verb),
        env={
            **os.environ,
            "PAYMENTS_DATABASE_URL": url,
            "PAYMENTS_PORT": str(port),
            "PAYMENTS_WORKER_PORT": str(port),
            "LOG_LEVEL": "ERROR",
        },
    )
    try:
        async with httpx.AsyncClient(timeout=10, trust_env=False) as client, asyncio.timeout(30):
            while True:
                assert process.returncode is None
                try:
                    yield await client.get(f"http://127.0.0.1:{port}/readyz")
                    break
                except httpx.TransportError:
                    await asyncio.sleep(0.02)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@asynccontextmanager
async def _schema_at(url: str, revision: str) -> AsyncIterator[None]:
    """Let the schema claim to be at another revision."""
    newest = await _fetch(url, "SELECT version_num FROM alembic_version")
    await _fetch(url, f"UPDATE alembic_version SET version_num = '{revision}'")
    try:
        yield
    finally:
        await _fetch(url, f"UPDATE alembic_version SET version_num = '{newest}'")


async def test_migration_when_it_is_killed_leaves_nothing_and_runs_again(empty_database: str, tmp_path: Path) -> None:
    points = environment(tmp_path / "migrate")
    armed = tmp_path / "migrate" / "migration.moved"
    armed.touch()
    assert await _run(empty_database, "migrate", points) == -signal.SIGKILL
    assert not armed.exists()
    assert await _fetch(empty_database, TABLES) == 0
    async with _serving(empty_database, "serve") as answer:
        assert answer.status_code == 503
        assert "the database is empty" in answer.json()["checks"]["database"]
        assert "run the migrations" in answer.json()["checks"]["database"]
    # As the commands migrate and check-migrations do it, without processes of their own.
    for _ in range(2):
        await run_alembic_command(PACKAGE, SecretStr(empty_database), "upgrade", "head")
    await run_alembic_command(PACKAGE, SecretStr(empty_database), "check")
    assert await _fetch(empty_database, TABLES) > 0


@pytest.mark.parametrize("verb", ["serve", "worker"])
async def test_readyz_when_the_schema_is_older_answers_503(empty_database: str, rabbitmq: str, verb: str) -> None:
    await run_alembic_command(PACKAGE, SecretStr(empty_database), "upgrade", "head")
    async with _schema_at(empty_database, "0000"), _serving(empty_database, verb) as answer:
        assert answer.status_code == 503
        assert "the schema is at revision 0000 and this code needs" in answer.json()["checks"]["database"]
