"""Programs that the bench runs beside the stack."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from dev.process.console import Console
from dev.process.ports import is_free
from dev.process.supervisor import NotReady, Part, Program, nothing, run_once
from dev.stack.stack import PROJECT

LOGGING = {"LOG_LEVEL": "INFO", "LOG_FORMAT": "json", "WEB_CONCURRENCY": "1"}
"""As in production: a line for every request, and one process for each service."""


def program(
    name: str, command: list[str], environment: Mapping[str, str], port: int | None = None, cwd: Path = PROJECT
) -> Program:
    """Ready when somebody listens on `port`."""

    async def listens() -> None:
        if port is not None and is_free(port):
            raise NotReady(f"nobody listens on port {port}")

    return Program(
        name=name, command=command, env={**os.environ, **LOGGING, **environment}, cwd=cwd, ready=listens, clear=nothing
    )


@asynccontextmanager
async def running(
    name: str, command: list[str], environment: Mapping[str, str], port: int, cwd: Path = PROJECT
) -> AsyncIterator[int]:
    """A server for as long as the block lasts; its PID."""
    part = Part(program(name, command, environment, port, cwd), Console(), _nobody_hears)
    await part.start()
    try:
        assert part.pid is not None
        yield part.pid
    finally:
        await part.stop()


async def once(
    name: str, command: list[str], environment: Mapping[str, str], seconds: float = 120.0, cwd: Path = PROJECT
) -> None:
    """A program to its end. Raises dev.process.supervisor.NotStarted, with its last lines, when it fails."""
    await run_once(program(name, command, environment, cwd=cwd), Console(), seconds)


def _nobody_hears() -> None:
    """Its PID changes only when it dies, and then the round fails."""
