"""Purchases from the webhook to the committed delivery: the duration of one, and the rate of many."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import asyncpg

from bench.load import Target, run
from bench.webhook_events import AMOUNT, CURRENCY, WebhookEvents, order_id_of

POLL_SECONDS = 0.008
"""The interval of the queries for deliveries. It is also the maximum error of a measured duration."""

COUNT_POLL_SECONDS = 0.05
MAX_SECONDS = 60.0

PRODUCT = "INSERT INTO products (id, slug, name, price, currency) VALUES ($1, $2, 'Benchmark product', $3, $4)"
VARIANT = "INSERT INTO variants (id, product_id) VALUES ($1, $1)"
ORDERS = """
INSERT INTO orders (id, number, customer_id, amount, currency, expires_at)
SELECT id, id, 'bench', $2, $3, now() + interval '1 day' FROM unnest($1::uuid[]) AS id
"""
ITEMS = """
INSERT INTO order_items (order_id, variant_id, product_id, position, name, slug, quantity, unit_price)
SELECT id, $2, $2, 0, 'Benchmark product', $3, 1, $4 FROM unnest($1::uuid[]) AS id
"""
PAYMENTS = """
INSERT INTO payments (reference, order_id, customer_id, email, amount, currency, verify_next_attempt_at)
SELECT reference, order_id, 'bench', 'bench@example.com', $3, $4, now() + interval '1 day'
FROM unnest($1::text[], $2::uuid[]) AS made (reference, order_id)
"""
DELIVERED_ORDERS = "SELECT order_id FROM deliveries WHERE order_id = ANY($1::uuid[])"
DELIVERED_COUNT = "SELECT count(*) FROM deliveries WHERE payment_reference BETWEEN $1 AND $2"


class NotDelivered(Exception):
    """Purchases whose webhook was answered with 200 were not delivered in time."""


@dataclass(slots=True)
class Latency:
    """For each purchase, the seconds from the scheduled time of its webhook to the answer and to the visible delivery."""

    answer_seconds: list[float] = field(default_factory=list)
    delivery_seconds: list[float] = field(default_factory=list)


async def prepare(catalog_url: str, payments_url: str, events: WebhookEvents) -> None:
    """Insert the pending orders and payments that the API would create. SQL is used because the API would take minutes."""
    references = events.references()
    orders = [order_id_of(reference) for reference in references]
    product = uuid4()
    slug = f"bench-{product.hex}"
    catalog = await asyncpg.connect(catalog_url, timeout=5)
    payments = await asyncpg.connect(payments_url, timeout=5)
    try:
        async with catalog.transaction():
            await catalog.execute(PRODUCT, product, slug, AMOUNT, CURRENCY)
            await catalog.execute(VARIANT, product)
            await catalog.execute(ORDERS, orders, AMOUNT, CURRENCY)
            await catalog.execute(ITEMS, orders, product, slug, AMOUNT)
        await payments.execute(PAYMENTS, references, orders, AMOUNT, CURRENCY)
        await catalog.execute("ANALYZE")
        await payments.execute("ANALYZE")
    finally:
        await catalog.close(timeout=5)
        await payments.close(timeout=5)


async def measure_rate(catalog_url: str, events: WebhookEvents, send: Callable[[], Awaitable[float]]) -> float:
    """Return the purchases per second, from the first webhook event to the last visible delivery. Raises NotDelivered.

    `send` sends or stores the webhook events, and returns the time at which it began.
    """
    catalog = await asyncpg.connect(catalog_url, timeout=5)
    references = events.references()
    started = asyncio.ensure_future(send())
    deadline = time.monotonic() + MAX_SECONDS
    try:
        while (delivered := await catalog.fetchval(DELIVERED_COUNT, references[0], references[-1])) < events.count:
            if started.done() and (error := started.exception()):
                raise error
            if time.monotonic() > deadline:
                raise NotDelivered(f"{events.count - delivered} of {events.count} purchases were not delivered")
            await asyncio.sleep(COUNT_POLL_SECONDS)
        ended = time.time()
        return events.count / (ended - await started)
    finally:
        started.cancel()
        await catalog.close(timeout=5)


def measure_latency(events: WebhookEvents, target: Target, catalog_url: str, per_second: int) -> Latency:
    """Send the webhook events at a constant rate, and return the time to each answer and delivery. Raises NotDelivered."""
    return run(_measure_latency(events, target, catalog_url, per_second))


async def _measure_latency(events: WebhookEvents, target: Target, catalog_url: str, per_second: int) -> Latency:
    found = Latency()
    sent: dict[UUID, float] = {}
    idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def post(request: bytes, due: float) -> None:
        reader, writer = idle.pop() if idle else await asyncio.open_connection("127.0.0.1", target.port)
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        if not head.startswith(b"http/1.1 200"):
            raise NotDelivered(f"a webhook was answered with {head[9:12].decode()}")
        await reader.readexactly(int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0]))
        found.answer_seconds.append(time.perf_counter() - due)
        idle.append((reader, writer))

    async def watch() -> None:
        catalog = await asyncpg.connect(catalog_url, timeout=5)
        try:
            while len(found.delivery_seconds) < events.count:
                visible = await catalog.fetch(DELIVERED_ORDERS, list(sent))
                now = time.perf_counter()
                found.delivery_seconds.extend(now - sent.pop(row["order_id"]) for row in visible)
                await asyncio.sleep(POLL_SECONDS)
        finally:
            catalog.terminate()

    requests = events.requests(target.port, target.path)
    try:
        async with asyncio.timeout(events.count / per_second + MAX_SECONDS), asyncio.TaskGroup() as group:
            group.create_task(watch())
            began = time.perf_counter() + 0.5
            for number, (reference, request) in enumerate(zip(events.references(), requests, strict=True)):
                due = began + number / per_second
                await asyncio.sleep(due - time.perf_counter())
                sent[order_id_of(reference)] = due
                group.create_task(post(request, due))
    except TimeoutError as error:
        raise NotDelivered(f"{len(sent)} of {events.count} purchases were not delivered") from error
    finally:
        for _, writer in idle:
            writer.close()
    return found
