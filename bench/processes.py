"""Processes that the benchmarks run beside the stack."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from dev import PROJECT
from dev.process.console import Console
from dev.process.ports import is_free
from dev.process.program import NotReady, Program
from dev.process.spawn import run_to_completion
from dev.process.supervisor import Supervisor

PRODUCTION_SETTINGS = {
    "LOG_LEVEL": "INFO",
    "LOG_FORMAT": "json",
    "WEB_CONCURRENCY": "1",
    "RATE_LIMIT_PER_ACCOUNT": "1000000",
    "RATE_LIMIT_PER_ACCOUNT_TOTAL": "1000000",
}
"""As in production: JSON logs with one line per request, and one web process per service. Few accounts send all requests."""


def _program(
    name: str, command: list[str], environment: Mapping[str, str], port: int | None = None, cwd: Path = PROJECT
) -> Program:
    """Return a program that is ready when `port` is open."""

    async def check_ready() -> None:
        if port is not None and is_free(port):
            raise NotReady(f"port {port} is closed")

    env = {**os.environ, **PRODUCTION_SETTINGS, **environment}
    return Program(name=name, command=command, env=env, cwd=cwd, check_ready=check_ready)


@asynccontextmanager
async def running(
    name: str, command: list[str], environment: Mapping[str, str], port: int, cwd: Path = PROJECT
) -> AsyncIterator[int]:
    """Run a server for the duration of the block; yield its PID."""
    supervisor = Supervisor(_program(name, command, environment, port, cwd), Console())
    await supervisor.start()
    try:
        assert supervisor.pid is not None
        yield supervisor.pid
    finally:
        await supervisor.stop()


async def run_once(
    name: str, command: list[str], environment: Mapping[str, str], seconds: float = 120.0, cwd: Path = PROJECT
) -> None:
    """Run a program until it exits. Raises NotStarted with its last lines when it fails."""
    await run_to_completion(_program(name, command, environment, cwd=cwd), Console(), seconds)
