"""The floor: the same durable writes straight on asyncpg and aio-pika, with no framework, no HTTP and no care for what goes wrong.

Three processes, as in the shop: one stores notices, one settles them, keeps the books and relays events, one consumes and delivers. The
same rows in the same tables with the same indexes, the same batches, every commit and every confirm waited for.
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

from bench.load import run
from bench.processes import run_once
from bench.webhook_events import WebhookEvents

STORED, SETTLED, RELAYED, TAKEN = 100, 200, 100, 200
"""How many share a transaction, or a window of confirms, at each step: what the shop uses."""

QUEUE = "bench.floor"
IDLE_SECONDS = 0.005
LONGEST_SECONDS = 60.0

STORE = """
INSERT INTO notices (key, body, headers)
SELECT * FROM unnest($1::text[], $2::bytea[], $3::jsonb[]) ON CONFLICT (key) DO NOTHING
"""
DUE = "SELECT id, body FROM notices WHERE state = 'pending' ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED"
PAY = """
UPDATE payments SET status = 'succeeded', paystack_id = paid.id, paid_amount = paid.amount, paid_currency = paid.currency,
    fees = paid.fees, domain = 'test', channel = 'card', gateway_response = 'Successful', paid_at = now(), updated_at = now()
FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::bigint[]) AS paid (reference, id, amount, currency, fees)
WHERE payments.reference = paid.reference AND status = 'pending'
    AND payments.amount = paid.amount AND payments.currency = paid.currency
RETURNING payments.id, payments.reference, order_id, payments.amount, payments.currency, payments.fees, paid_at
"""
BOOKS = """
WITH told AS (
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::text[])
        AS told (payment_id, reference, received, fee, currency)
), made AS (
    INSERT INTO ledger_transactions (key, kind, payment_id, occurred_at)
    SELECT kind || ':' || reference, kind, payment_id, now() FROM told CROSS JOIN (VALUES ('received'), ('fee')) AS kinds (kind)
    RETURNING id, kind, payment_id
)
INSERT INTO ledger_entries (transaction_id, line, account, currency, amount)
SELECT made.id, line, account, currency, sign * CASE kind WHEN 'fee' THEN fee ELSE received END
FROM made JOIN told USING (payment_id)
JOIN (VALUES ('received', 1, 'paystack:receivable', 1), ('received', 2, 'sales', -1),
             ('fee', 1, 'fees', 1), ('fee', 2, 'paystack:receivable', -1)) AS side (kind, line, account, sign) USING (kind)
"""
TELL = """
INSERT INTO outbox (event_id, type, body) SELECT id, 'payment.succeeded', body FROM unnest($1::uuid[], $2::bytea[]) AS told (id, body)
"""
DONE = """
UPDATE notices SET state = 'done', attempts = 1, done_at = now(),
    event = 'charge.success', outcome = 'succeeded', reference = done.reference, identity = 'charge.success:' || done.charge
FROM unnest($1::bigint[], $2::text[], $3::bigint[]) AS done (id, reference, charge) WHERE notices.id = done.id
"""
CLAIM = """
INSERT INTO inbox (key, body, state, attempts, done_at)
SELECT key, body, 'done', 1, now() FROM unnest($1::text[], $2::bytea[]) AS come (key, body)
ON CONFLICT (key) DO NOTHING RETURNING key
"""
MOVE = """
UPDATE orders SET status = 'delivered', payment_reference = paid.reference
FROM unnest($1::uuid[], $2::text[]) AS paid (id, reference) WHERE orders.id = paid.id AND status = 'pending'
"""
REMEMBER = """
INSERT INTO order_payments (reference, order_id, outcome)
SELECT reference, id, 'delivered' FROM unnest($1::uuid[], $2::text[]) AS paid (id, reference)
"""
DELIVER = "INSERT INTO deliveries (order_id, payment_reference) SELECT * FROM unnest($1::uuid[], $2::text[])"


async def migrate(payments_url: str, catalog_url: str) -> None:
    """The shop's own tables, in the floor's own databases."""
    nobody = "http://127.0.0.1"
    addresses = {"CATALOG_URL": nobody, "PAYMENTS_PUBLIC_URL": nobody, "JWKS_URL": nobody, "TOKEN_ISSUER": nobody}
    urls = {"PAYMENTS_DATABASE_URL": payments_url, "CATALOG_DATABASE_URL": catalog_url}
    broker = {"AMQP_URL": "amqp://nobody:nobody-at-all@127.0.0.1/"}
    for service in ("payments", "catalog"):
        command = [sys.executable, "-m", f"services.{service}", "migrate"]
        await run_once(f"{service}-migrate", command, {**addresses, **urls, **broker})


async def begin(
    notices: WebhookEvents, payments_url: str, catalog_url: str, amqp_url: str, executor: Executor
) -> float:
    """Makes the purchases; the time of day at which it began."""
    start = time.time() + 1.0  # by then each has connected
    loop = asyncio.get_running_loop()
    await asyncio.gather(
        loop.run_in_executor(executor, store, payments_url, notices, start),
        loop.run_in_executor(executor, settle, payments_url, amqp_url, notices.count),
        loop.run_in_executor(executor, deliver, catalog_url, amqp_url, notices.count),
    )
    return start


def store(url: str, notices: WebhookEvents, start: float) -> None:
    """The first process: stores the notices."""
    run(_store(url, notices.bodies(), start))


def settle(url: str, amqp_url: str, count: int) -> None:
    """The second process: pays and relays."""
    run(_settle_and_relay(url, amqp_url, count))


def deliver(url: str, amqp_url: str, count: int) -> None:
    """The third process: consumes and delivers."""
    run(_deliver(url, amqp_url, count))


async def _store(url: str, bodies: list[bytes], start: float) -> None:
    database = await asyncpg.connect(url, timeout=5)
    headers = json.dumps({"content-type": "application/json", "x-paystack-signature": "0" * 128})
    await asyncio.sleep(start - time.time())
    async with asyncio.timeout(LONGEST_SECONDS):
        for first in range(0, len(bodies), STORED):
            batch = bodies[first : first + STORED]
            keys = [hashlib.sha256(body).hexdigest() for body in batch]
            await database.execute(STORE, keys, batch, [headers] * len(batch))
    await database.close(timeout=5)


async def _settle_and_relay(url: str, amqp_url: str, count: int) -> None:
    told = asyncio.Event()
    async with asyncio.timeout(LONGEST_SECONDS), asyncio.TaskGroup() as group:
        group.create_task(_settle(url, count, told))
        group.create_task(_relay(url, amqp_url, count, told))


async def _settle(url: str, count: int, told: asyncio.Event) -> None:
    database = await asyncpg.connect(url, timeout=5)
    while count:
        async with database.transaction():
            due = await database.fetch(DUE, SETTLED)
            charges = [json.loads(row["body"])["data"] for row in due]
            columns = [
                [charge[name] for charge in charges] for name in ("reference", "id", "amount", "currency", "fees")
            ]
            if due:
                paid = await database.fetch(PAY, *columns)
                identifiers = [uuid4() for _ in paid]
                bodies = [_event(*told) for told in zip(identifiers, paid, strict=True)]
                entered = [[row[name] for row in paid] for name in ("id", "reference", "amount", "fees", "currency")]
                await database.execute(BOOKS, *entered)
                await database.execute(TELL, identifiers, bodies)
                await database.execute(DONE, [row["id"] for row in due], columns[0], columns[1])
        count -= len(due)
        told.set()
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


async def _relay(url: str, amqp_url: str, count: int, told: asyncio.Event) -> None:
    database = await asyncpg.connect(url, timeout=5)
    async with await aio_pika.connect(amqp_url, timeout=5) as connection:
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        await channel.declare_queue(QUEUE, durable=True, arguments={"x-queue-type": "quorum"})
        while count:
            rows = await database.fetch("SELECT id, event_id, body FROM outbox ORDER BY id LIMIT $1", RELAYED)
            if not rows:
                await told.wait()
                told.clear()
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
    arrived: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()  # bounded by the prefetch
    async with asyncio.timeout(LONGEST_SECONDS), await aio_pika.connect(amqp_url, timeout=5) as connection:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=TAKEN)
        queue = await channel.declare_queue(QUEUE, durable=True, arguments={"x-queue-type": "quorum"})
        await queue.consume(arrived.put)
        while count:
            batch = [await arrived.get()]
            while not arrived.empty():
                batch.append(arrived.get_nowait())
            events = [json.loads(message.body) for message in batch]
            async with database.transaction():
                bodies = [message.body for message in batch]
                new = {row["key"] for row in await database.fetch(CLAIM, [event["id"] for event in events], bodies)}
                facts = [event["data"] for event in events if event["id"] in new]
                paid = [UUID(fact["order_id"]) for fact in facts], [fact["reference"] for fact in facts]
                for statement in (MOVE, REMEMBER, DELIVER):
                    await database.execute(statement, *paid)
            await batch[-1].ack(multiple=True)
            count -= len(batch)
    await database.close(timeout=5)
