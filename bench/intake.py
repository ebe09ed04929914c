"""Webhook intake: how many notices a second one process commits and answers, beside a route that does nothing and beside a peer."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count

import asyncpg

from bench import databases
from bench.load import Round, Target, drive
from bench.processes import running
from bench.webhook_events import WebhookEvents
from dev.process import ports
from dev.process.program import do_nothing
from dev.stack.stack import Stack

WEBHOOK = "/payments/webhooks/paystack"
MOST_A_SECOND = 8_000
"""So many requests are prepared for each second of a round; one that runs out of them ends early."""

WARM_UP_SECONDS = 1.0
_batches = count(1)


class NotStored(Exception):
    """The server answered 200 to notices that are not in its database."""


@dataclass(slots=True)
class Contender:
    """A server under load. `stored` counts what its database holds; None where it keeps nothing."""

    name: str
    target: Target
    stored: Callable[[], Awaitable[int]] | None = None
    clear: Callable[[], Awaitable[None]] = do_nothing
    rounds: list[Round] = field(default_factory=list)


def fresh(amount: int, key: str) -> WebhookEvents:
    """WebhookEvents that nobody has sent yet."""
    return WebhookEvents(next(_batches), amount, key)


async def compete(contenders: list[Contender], rounds: int, seconds: float, key: str, executor: Executor) -> None:
    """Takes turns (A B C A B C …), so that what else happens on this machine falls on all of them. Raises NotStored."""
    for contender in contenders:
        await _round(contender, WARM_UP_SECONDS, key, executor)
    for _ in range(rounds):
        for contender in contenders:
            contender.rounds.append(await _round(contender, seconds, key, executor))


async def _round(contender: Contender, seconds: float, key: str, executor: Executor) -> Round:
    before = await contender.stored() if contender.stored else 0
    notices = fresh(int(seconds * MOST_A_SECOND), key)
    found = await asyncio.get_running_loop().run_in_executor(executor, drive, notices, contender.target, seconds)
    if contender.stored and (kept := await contender.stored() - before) < found.accepted:
        raise NotStored(f"{contender.name} answered 200 to {found.accepted} notices and stored {kept}")
    await contender.clear()
    return found


def ours(port: int, database: asyncpg.Connection) -> Contender:
    """payments itself. Its worker must be down: what is stored is counted, and removed, so that every round begins with an empty table."""

    async def stored() -> int:
        return int(await database.fetchval("SELECT count(*) FROM notices"))

    async def clear() -> None:
        await database.execute("TRUNCATE notices")

    return Contender("webhook intake", Target(port, WEBHOOK), stored, clear)


@asynccontextmanager
async def two_workers(stack: Stack, one: Contender) -> AsyncIterator[Contender]:
    """The same with two processes behind one port, on the same cores and the same tables."""
    (port,) = ports.free(1)
    environment = {**stack.environment("payments"), "PAYMENTS_PORT": str(port), "WEB_CONCURRENCY": "2"}
    async with running("payments", databases.command("payments", "serve"), environment, port):
        yield Contender("intake, two workers", Target(port, WEBHOOK), one.stored, one.clear)


@asynccontextmanager
async def doing_nothing() -> AsyncIterator[Contender]:
    """The raw limit."""
    (port,) = ports.free(1)
    command = [sys.executable, "-m", "bench.noop"]
    async with running("noop", command, {"TOKEN_ISSUER": "http://127.0.0.1", "NOOP_PORT": str(port)}, port):
        yield Contender("no-op route", Target(port, "/noop"))
