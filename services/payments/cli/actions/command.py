"""Run a command: open its clients, close them afterwards, and print an expected error as one sentence."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

import asyncpg
import typer
from sqlalchemy.exc import SQLAlchemyError

from kit.errors import Problem
from kit.messaging.notifier import Notifier
from kit.observability.logging import configure_logging
from kit.worker.shutdown import Shutdown
from services.payments.cli.actions.output import err
from services.payments.clients import Clients, open_clients
from services.payments.db import create_notifier, engine

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Context:
    """The HTTP clients and the notifier of a command."""

    clients: Clients
    notifier: Notifier


def run(work: Callable[[Context], Awaitable[T]]) -> T:
    """Run a command's work and return its result. On an expected error, print one sentence to stderr and exit with code 1."""
    configure_logging("WARNING", "console", "payments")
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(err.file)  # stdout is for the result

    async def run_with_context() -> T:
        notifier = create_notifier()
        try:
            async with open_clients() as clients:
                result = await work(Context(clients, notifier))
            await notifier.flush()
            return result
        finally:
            await engine.dispose()

    try:
        return asyncio.run(run_with_context())
    except Problem as problem:
        err.print(problem.detail, style="red", markup=False, soft_wrap=True)
    except (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        reason = (str(error).splitlines() or [""])[0][:200]
        err.print(
            f"the database cannot be used: {type(error).__name__}: {reason}", style="red", markup=False, soft_wrap=True
        )
    raise typer.Exit(1)


@asynccontextmanager
async def interruptible() -> AsyncIterator[Shutdown]:
    """Let Ctrl-C and SIGTERM request a shutdown instead of ending the process, so that calls in progress are completed."""
    shutdown = Shutdown()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, shutdown.request)
    try:
        yield shutdown
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
