"""Fill the tables of payments with millions of settled payments, directly in SQL, in about a minute."""

import asyncpg

from bench.webhook_events import WebhookEvents

CHUNK_ROWS = 50_000
FILL_SECONDS = 600.0
"""The time limit of one statement."""

# References, ids and hashes are random like the real ones, so that inserts reach all pages of an index, not only the last one.
PAYMENTS = """
INSERT INTO payments (reference, order_id, customer_id, email, amount, currency, status, paystack_id, paid_amount, paid_currency, fees,
    domain, channel, gateway_response, paid_at, verify_next_attempt_at, created_at, updated_at)
SELECT 'pay-' || md5(n::text), md5('order' || n)::uuid, md5('payer' || n % 100000), 'payer@example.com', 50000, 'NGN', 'succeeded',
    n, 50000, 'NGN', 750, 'test', 'card', 'Successful', at, at, at, at
FROM (SELECT n, now() - (2000000 - n) * interval '15 seconds' AS at FROM generate_series($1::bigint, $2::bigint) AS n) AS past
"""
WEBHOOK_EVENTS = """
INSERT INTO webhook_events (key, body, headers, status, attempts, received_at, processed_at, event, reference, identity, outcome)
SELECT encode(sha256(n::text::bytea), 'hex'), $3, '{"content-type": "application/json"}', 'processed', 1, at, at, 'charge.success',
    'pay-' || md5(n::text), 'charge.success:' || n, 'succeeded'
FROM (SELECT n, now() - (2000000 - n) * interval '1 second' AS at FROM generate_series($1::bigint, $2::bigint) AS n) AS past
"""
MOVEMENTS = """
INSERT INTO ledger_transactions (key, kind, payment_id, occurred_at)
SELECT kind || ':' || reference, kind, id, created_at FROM payments CROSS JOIN (VALUES ('received'), ('fee')) AS k (kind)
WHERE id BETWEEN $1 AND $2
"""
ENTRIES = """
INSERT INTO ledger_entries (transaction_id, line, account, currency, amount, recorded_at)
SELECT t.id, line, account, 'NGN', amount, occurred_at FROM ledger_transactions AS t
JOIN (VALUES ('received', 1, 'paystack:receivable', 50000), ('received', 2, 'sales', -50000),
             ('fee', 1, 'fees', 750), ('fee', 2, 'paystack:receivable', -750)) AS side (kind, line, account, amount) USING (kind)
WHERE t.payment_id BETWEEN $1 AND $2
"""


async def fill(url: str, rows: int) -> dict[str, int]:
    """Insert `rows` payments, `rows` webhook events, and the ledger entries of a quarter of the payments. Return the row count by table."""
    (body,) = WebhookEvents(0, 1, "").bodies()
    database = await asyncpg.connect(url, timeout=5)
    try:
        # The trigger checks each movement, which would take too long for millions of rows.
        await database.execute("ALTER TABLE ledger_transactions DISABLE TRIGGER USER")
        for first in range(1, rows + 1, CHUNK_ROWS):
            last = min(first + CHUNK_ROWS - 1, rows)
            await database.execute(PAYMENTS, first, last, timeout=FILL_SECONDS)
            await database.execute(WEBHOOK_EVENTS, first, last, body, timeout=FILL_SECONDS)
            if first <= rows // 4:
                for statement in (MOVEMENTS, ENTRIES):
                    await database.execute(statement, first, min(last, rows // 4), timeout=FILL_SECONDS)
        await database.execute("ALTER TABLE ledger_transactions ENABLE TRIGGER USER")
        tables = ("payments", "webhook_events", "ledger_transactions", "ledger_entries")
        for table in tables:
            await database.execute(f"VACUUM (ANALYZE) {table}", timeout=FILL_SECONDS)
        return {table: await database.fetchval(f"SELECT count(*) FROM {table}", timeout=60) for table in tables}  # noqa: S608
    finally:
        await database.close(timeout=5)
