"""Webhook intake: how many webhook events per second one process stores and answers, compared with an empty route and with the peer."""

import asyncio
import itertools
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import asyncpg

from bench import databases
from bench.load import Round, Target, run_round
from bench.processes import running
from bench.webhook_events import WebhookEvents
from dev.process import ports
from dev.process.program import do_nothing
from dev.stack.stack import Stack

WEBHOOK = "/payments/webhooks/paystack"
MAX_RATE = 8_000
"""Number of requests that are prepared per second of a round. A round that has sent all of them ends early."""

CONNECTIONS = 256
"""With 64, a server that waits for durable commits would mostly wait for the disk. The other servers do not need more."""

WARM_UP_SECONDS = 1.0
_batches = itertools.count(1)


class NotStored(Exception):
    """The server answered 200 to webhook events that are not in its database."""


@dataclass(slots=True)
class MeasuredServer:
    """A server that is measured. `stored` counts the events in its database (None: it stores nothing), and `clear` deletes them."""

    name: str
    target: Target
    stored: Callable[[], Awaitable[int]] | None = None
    clear: Callable[[], Awaitable[None]] = do_nothing
    rounds: list[Round] = field(default_factory=list)


def new_events(count: int, key: str) -> WebhookEvents:
    """Return webhook events that have not been sent before."""
    return WebhookEvents(next(_batches), count, key)


async def measure_in_turns(
    servers: list[MeasuredServer], rounds: int, seconds: float, key: str, executor: Executor
) -> None:
    """Measure the servers in turns (A B C A B C …), so that other load on this machine affects all of them. Raises NotStored."""
    for server in servers:
        await _round(server, WARM_UP_SECONDS, key, executor)
    for _ in range(rounds):
        for server in servers:
            server.rounds.append(await _round(server, seconds, key, executor))


async def _round(server: MeasuredServer, seconds: float, key: str, executor: Executor) -> Round:
    before = await server.stored() if server.stored else 0
    events = new_events(int(seconds * MAX_RATE), key)
    found = await asyncio.get_running_loop().run_in_executor(executor, run_round, events, server.target, seconds)
    if server.stored and (stored := await server.stored() - before) < found.accepted:
        raise NotStored(f"{server.name} answered 200 to {found.accepted} webhook events and stored {stored}")
    await server.clear()
    return found


def payments_server(port: int, database: asyncpg.Connection) -> MeasuredServer:
    """Return the server of payments. The worker must be stopped, because stored events are counted and deleted after each round."""

    async def stored() -> int:
        return int(await database.fetchval("SELECT count(*) FROM webhook_events"))

    async def clear() -> None:
        await database.execute("TRUNCATE webhook_events")

    return MeasuredServer("webhook intake", Target(port, WEBHOOK, CONNECTIONS), stored, clear)


@asynccontextmanager
async def two_web_processes(stack: Stack, one: MeasuredServer) -> AsyncIterator[MeasuredServer]:
    """Run a second server of payments with two web processes, which uses the tables of `one`."""
    (port,) = ports.reserve_free(1)
    environment = {**stack.service_env("payments"), "PAYMENTS_PORT": str(port), "WEB_CONCURRENCY": "2"}
    async with running("payments", databases.service_command("payments", "serve"), environment, port):
        yield MeasuredServer("intake, two web processes", Target(port, WEBHOOK, CONNECTIONS), one.stored, one.clear)


@asynccontextmanager
async def empty_route(stack: Stack) -> AsyncIterator[MeasuredServer]:
    """Run a server whose route does nothing."""
    (port,) = ports.reserve_free(1)
    environment = {"TOKEN_ISSUER": stack.env["TOKEN_ISSUER"], "JWKS_URL": stack.env["JWKS_URL"], "NOOP_PORT": str(port)}
    async with running("noop", [sys.executable, "-m", "bench.noop"], environment, port):
        yield MeasuredServer("no-op route", Target(port, "/noop", CONNECTIONS))


@asynccontextmanager
async def raw_app(key: str) -> AsyncIterator[MeasuredServer]:
    """Run the app without a framework that only computes the HMAC."""
    (port,) = ports.reserve_free(1)
    environment = {"PAYSTACK_SECRET_KEY": key, "RAW_PORT": str(port)}
    async with running("raw", [sys.executable, "-m", "bench.raw"], environment, port):
        yield MeasuredServer("raw ASGI app with HMAC", Target(port, WEBHOOK, CONNECTIONS))
