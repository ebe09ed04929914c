"""The baseline: the same durable writes with plain asyncpg and aio-pika, without a framework, HTTP or error handling.

Three processes share the work as in the shop. The first stores webhook events; the second settles payments, writes the ledger and
relays events; the third consumes events and delivers orders. Rows, tables, indexes and batch sizes are the same, and every commit
and confirm is awaited.
"""

import asyncio
import hashlib
import json
import sys
import time
from concurrent.futures import Executor
from uuid import UUID, uuid4

import aio_pika
import asyncpg
from aio_pika.abc import AbstractIncomingMessage

from bench import baseline_queries as queries
from bench.load import run
from bench.processes import run_once
from bench.webhook_events import WebhookEvents
from dev.dummy_environment import DUMMY_ENVIRONMENT

STORE_BATCH, SETTLE_BATCH, RELAY_BATCH, CONSUME_BATCH = 100, 200, 100, 200
"""Rows per transaction, or messages per window of publisher confirms. The shop uses the same values."""

QUEUE = "bench.baseline"
IDLE_SECONDS = 0.005
MAX_SECONDS = 60.0


async def migrate(payments_url: str, catalog_url: str) -> None:
    """Create the tables of the shop in the databases of the baseline."""
    databases = {"PAYMENTS_DATABASE_URL": payments_url, "CATALOG_DATABASE_URL": catalog_url}
    for service in ("payments", "catalog"):
        command = [sys.executable, "-m", f"services.{service}", "migrate"]
        await run_once(f"{service}-migrate", command, {**DUMMY_ENVIRONMENT, **databases})


async def run_purchases(
    events: WebhookEvents, payments_url: str, catalog_url: str, amqp_url: str, executor: Executor
) -> float:
    """Make all purchases of the events. Return the time at which the first process began to store webhook events."""
    start = time.time() + 1.0  # enough time for the three processes to connect
    loop = asyncio.get_running_loop()
    await asyncio.gather(
        loop.run_in_executor(executor, store, payments_url, events, start),
        loop.run_in_executor(executor, settle, payments_url, amqp_url, events.count),
        loop.run_in_executor(executor, deliver, catalog_url, amqp_url, events.count),
    )
    return start


def store(url: str, events: WebhookEvents, start: float) -> None:
    """Run the first process: store the webhook events."""
    run(_store(url, events.bodies(), start))


def settle(url: str, amqp_url: str, count: int) -> None:
    """Run the second process: settle and relay."""
    run(_settle_and_relay(url, amqp_url, count))


def deliver(url: str, amqp_url: str, count: int) -> None:
    """Run the third process: consume and deliver."""
    run(_deliver(url, amqp_url, count))


async def _store(url: str, bodies: list[bytes], start: float) -> None:
    database = await asyncpg.connect(url, timeout=5)
    headers = json.dumps({"content-type": "application/json", "x-paystack-signature": "0" * 128})
    await asyncio.sleep(start - time.time())
    async with asyncio.timeout(MAX_SECONDS):
        for first in range(0, len(bodies), STORE_BATCH):
            batch = bodies[first : first + STORE_BATCH]
            keys = [hashlib.sha256(body).hexdigest() for body in batch]
            await database.execute(queries.WEBHOOK_EVENTS, keys, batch, [headers] * len(batch))
    await database.close(timeout=5)


async def _settle_and_relay(url: str, amqp_url: str, count: int) -> None:
    queued = asyncio.Event()
    async with asyncio.timeout(MAX_SECONDS), asyncio.TaskGroup() as group:
        group.create_task(_settle(url, count, queued))
        group.create_task(_relay(url, amqp_url, count, queued))


async def _settle(url: str, count: int, queued: asyncio.Event) -> None:
    database = await asyncpg.connect(url, timeout=5)
    while count:
        async with database.transaction():
            due = await database.fetch(queries.DUE, SETTLE_BATCH)
            charges = [json.loads(row["body"])["data"] for row in due]
            columns = [
                [charge[name] for charge in charges] for name in ("reference", "id", "amount", "currency", "fees")
            ]
            if due:
                paid = await database.fetch(queries.PAYMENTS, *columns)
                identifiers = [uuid4() for _ in paid]
                bodies = [_event(*pair) for pair in zip(identifiers, paid, strict=True)]
                movements = [[row[name] for row in paid] for name in ("id", "reference", "amount", "fees", "currency")]
                await database.execute(queries.LEDGER, *movements)
                await database.execute(queries.OUTBOX, identifiers, bodies)
                await database.execute(queries.PROCESSED, [row["id"] for row in due], columns[0], columns[1])
        count -= len(due)
        queued.set()
        if not due:
            await asyncio.sleep(IDLE_SECONDS)
    await database.close(timeout=5)


def _event(identifier: UUID, row: asyncpg.Record) -> bytes:
    data = {name: str(row[name]) for name in ("reference", "order_id", "currency", "paid_at")}
    body = {
        "specversion": "1.0",
        "id": str(identifier),
        "source": "/payments",
        "type": "payment.succeeded",
        "subject": str(row["order_id"]),
        "time": str(row["paid_at"]),
        "datacontenttype": "application/json",
        "data": {**data, "amount": row["amount"], "paid_amount": row["amount"], "channel": "card"},
    }
    return json.dumps(body, separators=(",", ":")).encode()


async def _relay(url: str, amqp_url: str, count: int, queued: asyncio.Event) -> None:
    database = await asyncpg.connect(url, timeout=5)
    async with await aio_pika.connect(amqp_url, timeout=5) as connection:
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        await channel.declare_queue(QUEUE, durable=True, arguments={"x-queue-type": "quorum"})
        while count:
            rows = await database.fetch("SELECT id, event_id, body FROM outbox ORDER BY id LIMIT $1", RELAY_BATCH)
            if not rows:
                await queued.wait()
                queued.clear()
                continue
            await asyncio.gather(
                *(channel.default_exchange.publish(_message(row), QUEUE, mandatory=True) for row in rows)
            )
            await database.execute("DELETE FROM outbox WHERE id = ANY($1::bigint[])", [row["id"] for row in rows])
            count -= len(rows)
    await database.close(timeout=5)


def _message(row: asyncpg.Record) -> aio_pika.Message:
    return aio_pika.Message(
        row["body"], message_id=str(row["event_id"]), delivery_mode=aio_pika.DeliveryMode.PERSISTENT
    )


async def _deliver(url: str, amqp_url: str, count: int) -> None:
    database = await asyncpg.connect(url, timeout=5)
    arrived: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()  # the prefetch limits its length
    async with asyncio.timeout(MAX_SECONDS), await aio_pika.connect(amqp_url, timeout=5) as connection:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=CONSUME_BATCH)
        queue = await channel.declare_queue(QUEUE, durable=True, arguments={"x-queue-type": "quorum"})
        await queue.consume(arrived.put)
        while count:
            batch = [await arrived.get()]
            while not arrived.empty():
                batch.append(arrived.get_nowait())
            events = [json.loads(message.body) for message in batch]
            async with database.transaction():
                bodies = [message.body for message in batch]
                new = {
                    row["key"] for row in await database.fetch(queries.INBOX, [event["id"] for event in events], bodies)
                }
                payments = [event["data"] for event in events if event["id"] in new]
                paid = [UUID(row["order_id"]) for row in payments], [row["reference"] for row in payments]
                for statement in (queries.ORDERS, queries.ORDER_PAYMENTS, queries.DELIVERIES):
                    await database.execute(statement, *paid)
            await batch[-1].ack(multiple=True)
            count -= len(batch)
    await database.close(timeout=5)
