"""Purchases, from the webhook to the delivery that catalog has committed: how long one takes, and how many a second."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import asyncpg

from bench.load import Target, run
from bench.webhook_events import AMOUNT, CURRENCY, WebhookEvents, order_of

LOOK_SECONDS = 0.008
"""How often it is looked whether a delivery can be seen: a measured time is at most so much too long."""

COUNT_SECONDS = 0.05
LONGEST_SECONDS = 60.0

PRODUCT = "INSERT INTO products (id, slug, name, price, currency) VALUES ($1, $2, 'Sold by the bench', $3, $4)"
ORDERS = """
INSERT INTO orders (id, customer_id, amount, currency, expires_at)
SELECT id, 'bench', $2, $3, now() + interval '1 day' FROM unnest($1::uuid[]) AS id
"""
ITEMS = """
INSERT INTO order_items (order_id, product_id, position, name, slug, quantity, unit_price, reserved)
SELECT id, $2, 0, 'Sold by the bench', $3, 1, $4, false FROM unnest($1::uuid[]) AS id
"""
PAYMENTS = """
INSERT INTO payments (reference, order_id, payer_id, email, amount, currency, next_verify_at)
SELECT reference, order_id, 'bench', 'bench@example.com', $3, $4, now() + interval '1 day'
FROM unnest($1::text[], $2::uuid[]) AS made (reference, order_id)
"""
VISIBLE = "SELECT order_id FROM deliveries WHERE order_id = ANY($1::uuid[])"
DELIVERED = "SELECT count(*) FROM deliveries WHERE payment_reference BETWEEN $1 AND $2"


class NotDelivered(Exception):
    """Purchases whose webhook was answered 200 were not delivered in time."""


@dataclass(slots=True)
class Paced:
    """Seconds of each purchase from the moment its webhook was due to be sent: to its answer, and until its delivery was seen."""

    answer_seconds: list[float] = field(default_factory=list)
    delivery_seconds: list[float] = field(default_factory=list)


async def prepare(catalog_url: str, payments_url: str, notices: WebhookEvents) -> None:
    """Pending orders, and their payments, as placing them through the API leaves them; straight in SQL, because that takes minutes."""
    references = notices.references()
    orders = [order_of(reference) for reference in references]
    product = uuid4()
    slug = f"bench-{product.hex}"
    catalog = await asyncpg.connect(catalog_url, timeout=5)
    payments = await asyncpg.connect(payments_url, timeout=5)
    try:
        async with catalog.transaction():
            await catalog.execute(PRODUCT, product, slug, AMOUNT, CURRENCY)
            await catalog.execute(ORDERS, orders, AMOUNT, CURRENCY)
            await catalog.execute(ITEMS, orders, product, slug, AMOUNT)
        await payments.execute(PAYMENTS, references, orders, AMOUNT, CURRENCY)
        await catalog.execute("ANALYZE")
        await payments.execute("ANALYZE")
    finally:
        await catalog.close(timeout=5)
        await payments.close(timeout=5)


async def sustained(catalog_url: str, notices: WebhookEvents, begin: Callable[[], Awaitable[float]]) -> float:
    """Purchases a second, from the time of day that `begin` answers with to when the last delivery can be seen. Raises NotDelivered."""
    catalog = await asyncpg.connect(catalog_url, timeout=5)
    references = notices.references()
    started = asyncio.ensure_future(begin())
    deadline = time.monotonic() + LONGEST_SECONDS
    try:
        while (delivered := await catalog.fetchval(DELIVERED, references[0], references[-1])) < notices.count:
            if started.done() and (error := started.exception()):
                raise error
            if time.monotonic() > deadline:
                raise NotDelivered(f"{notices.count - delivered} of {notices.count} purchases were not delivered")
            await asyncio.sleep(COUNT_SECONDS)
        ended = time.time()
        return notices.count / (ended - await started)
    finally:
        started.cancel()
        await catalog.close(timeout=5)


def pace(notices: WebhookEvents, target: Target, catalog_url: str, a_second: int) -> Paced:
    """Posts the notices at an even pace and watches for their deliveries, in this process."""
    return run(_pace(notices, target, catalog_url, a_second))


async def _pace(notices: WebhookEvents, target: Target, catalog_url: str, a_second: int) -> Paced:
    found = Paced()
    sent: dict[UUID, float] = {}
    idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def post(request: bytes, due: float) -> None:
        reader, writer = idle.pop() if idle else await asyncio.open_connection("127.0.0.1", target.port)
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        if not head.startswith(b"http/1.1 200"):
            raise NotDelivered(f"a webhook was answered {head[9:12].decode()}")
        await reader.readexactly(int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0]))
        found.answer_seconds.append(time.perf_counter() - due)
        idle.append((reader, writer))

    async def watch() -> None:
        catalog = await asyncpg.connect(catalog_url, timeout=5)
        try:
            while len(found.delivery_seconds) < notices.count:
                visible = await catalog.fetch(VISIBLE, list(sent))
                now = time.perf_counter()
                found.delivery_seconds.extend(now - sent.pop(row["order_id"]) for row in visible)
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            catalog.terminate()

    requests = notices.requests(target.port, target.path)
    try:
        async with asyncio.timeout(notices.count / a_second + LONGEST_SECONDS), asyncio.TaskGroup() as group:
            group.create_task(watch())
            began = time.perf_counter() + 0.5
            for number, (reference, request) in enumerate(zip(notices.references(), requests, strict=True)):
                due = began + number / a_second
                await asyncio.sleep(due - time.perf_counter())
                sent[order_of(reference)] = due
                group.create_task(post(request, due))
    except TimeoutError as error:
        raise NotDelivered(f"{len(sent)} of {notices.count} purchases were not delivered") from error
    finally:
        for _, writer in idle:
            writer.close()
    return found
