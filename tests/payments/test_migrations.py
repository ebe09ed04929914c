"""A migration that is killed midway leaves nothing, and runs again; nobody serves on a schema that is not the newest."""

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
from kit.db.migrations import on_connection
from tests.fixtures.failpoints import environment

TABLES = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"


@pytest.fixture
async def half(postgres: Postgres) -> AsyncIterator[str]:
    """An empty database."""
    url = postgres.url("half")
    yield url
    await on_connection("services.payments", SecretStr(url), "downgrade", "base")


async def _run(url: str, verb: str, env: dict[str, str] | None = None) -> int:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "services.payments", verb),
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
    """A process on that database, and what its /readyz says."""
    (port,) = ports.free(1)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "services.payments", verb),
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


async def test_a_migration_that_is_killed_runs_again(half: str, tmp_path: Path) -> None:
    points = environment(tmp_path / "migrate")
    armed = tmp_path / "migrate" / "migration.moved"
    armed.touch()
    assert await _run(half, "migrate", points) == -signal.SIGKILL
    assert not armed.exists()
    assert await _fetch(half, TABLES) == 0
    async with _serving(half, "serve") as said:
        assert said.status_code == 503
        assert "the database is empty" in said.json()["checks"]["database"]
        assert "run the migrations" in said.json()["checks"]["database"]
    for _ in range(2):
        assert await _run(half, "migrate") == 0
    assert await _run(half, "check-migrations") == 0


@pytest.mark.parametrize("verb", ["serve", "worker"])
async def test_nobody_is_ready_on_an_older_schema(half: str, rabbitmq: str, verb: str) -> None:
    await on_connection("services.payments", SecretStr(half), "upgrade", "head")
    await on_connection("services.payments", SecretStr(half), "downgrade", "-1")
    async with _serving(half, verb) as said:
        assert said.status_code == 503
        assert "this code needs" in said.json()["checks"]["database"]
