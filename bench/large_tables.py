"""The cost of large tables: intake, settlement and lookup with millions of stored rows, compared with empty tables.

Each database has its own server and worker of payments. The two databases are measured in turns.
"""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic

import aio_pika
import asyncpg
import httpx

from bench import baseline, databases, history, purchases
from bench.intake import WEBHOOK, new_events
from bench.load import Round, Target, run, run_round, send_requests
from bench.processes import running
from bench.webhook_events import AMOUNT, CURRENCY, WebhookEvents, order_id_of
from contracts.topology import CATALOG_PAYMENTS
from dev.process import ports
from dev.stack.stack import Stack

MAX_SECONDS = 120.0
POLL_SECONDS = 0.02
LOOKUPS = 20_000
"""Maximum number of different payments that are looked up."""

KINDS = ("intake", "settlement", "lookup")
PENDING = "SELECT count(*) FROM webhook_events WHERE status = 'pending'"


class NotSettled(Exception):
    """Stored webhook events were not processed in time."""


@dataclass(slots=True)
class Side:
    """One of the two databases with its server. `rates`: operations per second by kind, one number per round."""

    url: str
    port: int
    environment: dict[str, str]
    rates: dict[str, list[float]] = field(default_factory=lambda: {kind: [] for kind in KINDS})


@dataclass(slots=True)
class Comparison:
    """The two databases. `rows`: the row count of the full one by table."""

    rows: dict[str, int]
    full: Side
    empty: Side


async def compare(stack: Stack, rows: int, rounds: int, events: int, key: str, executor: Executor) -> Comparison:
    """Measure both databases. The workers of the stack must be stopped."""
    full_url, empty_url, unused = await databases.create(stack, "history_full", "history_empty", "history_unused")
    for url in (full_url, empty_url):
        await baseline.migrate(url, unused)
    found = Comparison(await history.fill(full_url, rows), *(_side(stack, url) for url in (full_url, empty_url)))
    token = await _token(stack)
    loop = asyncio.get_running_loop()
    async with _serving(found.full), _serving(found.empty):
        for number in range(rounds + 1):
            for side in (found.full, found.empty):
                batch = new_events(events, key)
                await _store_payments(side.url, batch)
                stored = await loop.run_in_executor(executor, run_round, batch, Target(side.port, WEBHOOK), MAX_SECONDS)
                settled = await _settle(side, stored.accepted)
                looked_up = await loop.run_in_executor(
                    executor, look_up, await _references(side.url), token, side.port, 2.0
                )
                if number:  # the first round is a warm-up
                    for kind, rate in zip(KINDS, (stored.rate, settled, looked_up.rate), strict=True):
                        side.rates[kind].append(rate)
    await _purge_events(stack)
    return found


def look_up(references: list[str], token: str, port: int, seconds: float) -> Round:
    """Send GET /payments/{reference} for many payments in turn."""
    requests = [
        f"GET /payments/{reference} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
        for reference in references
    ]
    return run(send_requests(requests, Target(port, "/payments"), seconds))


def _side(stack: Stack, url: str) -> Side:
    own = ports.reserve_free(2)
    environment = {
        **stack.service_env("payments-worker"),
        "PAYMENTS_DATABASE_URL": url,
        "PAYMENTS_PORT": str(own[0]),
        "PAYMENTS_WORKER_PORT": str(own[1]),
    }
    return Side(url, own[0], environment)


@asynccontextmanager
async def _serving(side: Side) -> AsyncIterator[None]:
    command = databases.service_command("payments", "serve")
    async with running("payments", command, side.environment, side.port):
        yield


async def _store_payments(url: str, events: WebhookEvents) -> None:
    references = events.references()
    database = await asyncpg.connect(url, timeout=5)
    try:
        orders = [order_id_of(reference) for reference in references]
        await database.execute(purchases.PAYMENTS, references, orders, AMOUNT, CURRENCY)
    finally:
        await database.close(timeout=5)


async def _settle(side: Side, count: int) -> float:
    """Start a worker and return its settled events per second, measured after its first batch. Raises NotSettled."""
    database = await asyncpg.connect(side.url, timeout=5)
    worker = int(side.environment["PAYMENTS_WORKER_PORT"])
    deadline = monotonic() + MAX_SECONDS
    began, before = 0.0, count
    try:
        async with running(
            "payments-worker", databases.service_command("payments", "worker"), side.environment, worker
        ):
            while pending := await database.fetchval(PENDING):
                if not began and pending < count:
                    began, before = monotonic(), pending
                if monotonic() > deadline:
                    raise NotSettled(f"{pending} of {count} webhook events were not processed")
                await asyncio.sleep(POLL_SECONDS)
            return before / (monotonic() - began)
    finally:
        await database.close(timeout=5)


async def _references(url: str) -> list[str]:
    """Return references from all parts of the table."""
    database = await asyncpg.connect(url, timeout=5)
    try:
        rows = await database.fetch(
            "SELECT reference FROM payments WHERE id % greatest(1, (SELECT max(id) FROM payments) / $1) = 0 LIMIT $1",
            LOOKUPS,
            timeout=60,
        )
        return [row["reference"] for row in rows] * (LOOKUPS // max(1, len(rows)) + 1)
    finally:
        await database.close(timeout=5)


async def _token(stack: Stack) -> str:
    form = {
        "grant_type": "password",
        "username": stack.env["ADMIN_EMAIL"],
        "password": stack.env["ADMIN_PASSWORD"],
    }
    async with httpx.AsyncClient(timeout=10, trust_env=False) as client:
        answer = await client.post(f"{stack.env['AUTH_URL']}/auth/token", data=form)
        return str(answer.raise_for_status().json()["access_token"])


async def _purge_events(stack: Stack) -> None:
    """Delete the published events, because catalog does not know their orders."""
    async with await aio_pika.connect(stack.env["AMQP_URL"], timeout=5) as connection:
        channel = await connection.channel()
        queue = await channel.get_queue(CATALOG_PAYMENTS.name)
        await queue.purge(timeout=30)
