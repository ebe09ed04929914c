"""What is: in the two databases, at the broker, and at Paystack itself, from where the truth about money comes."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import aio_pika
import asyncpg
import httpx

from contracts.topology import CATALOG_PAYMENTS, PAYMENTS_ORDERS
from dev.stack.readiness import PLAIN

Row = Mapping[str, Any]
PAGE = 100
QUERY_SECONDS = 20.0

PAYMENTS = {
    "payments": """
        SELECT id, reference, order_id, amount, currency, status, held_reason, paid_amount, paid_currency,
            refunded_amount, fees FROM payments
    """,
    "refunds": "SELECT r.*, p.reference FROM refunds r JOIN payments p ON p.id = r.payment_id",
    "decisions": "SELECT p.reference FROM decisions d JOIN payments p ON p.id = d.payment_id",
    "booked": """
        SELECT p.reference,
            sum(e.amount) FILTER (WHERE t.kind = 'received' AND e.line = 1) AS received,
            sum(e.amount) FILTER (WHERE t.kind = 'fee' AND e.line = 1) AS fee,
            sum(e.amount) FILTER (WHERE t.kind = 'refunded' AND e.line = 1) AS refunded,
            -sum(e.amount) FILTER (WHERE e.account = 'held') AS held
        FROM payments p JOIN ledger_transactions t ON t.payment_id = p.id
        JOIN ledger_entries e ON e.transaction_id = t.id GROUP BY p.reference
    """,
    "unbalanced": """
        SELECT currency, sum(amount) AS amount FROM ledger_entries GROUP BY currency HAVING sum(amount) <> 0
        UNION ALL
        SELECT currency, sum(amount) FROM ledger_entries GROUP BY transaction_id, currency HAVING sum(amount) <> 0
    """,
}
CATALOG = {
    "orders": "SELECT id, customer_id, status, amount, currency, payment_reference FROM orders",
    "deliveries": "SELECT order_id, payment_reference, delivered_at FROM deliveries",
    "told": "SELECT reference, order_id, outcome FROM order_payments",
    "below_zero": "SELECT id, stock FROM products WHERE stock < 0",
    "shelves": """
        SELECT p.id, p.stock,
            coalesce(sum(i.quantity) FILTER (WHERE i.reserved AND o.status = 'pending'), 0) AS reserved,
            coalesce(sum(i.quantity) FILTER (WHERE i.reserved AND o.status IN ('paid', 'delivered')), 0) AS sold,
            coalesce(sum(i.quantity) FILTER (
                WHERE i.reserved <> (o.status IN ('pending', 'paid', 'delivered'))), 0) AS astray
        FROM products p LEFT JOIN order_items i ON i.product_id = p.id LEFT JOIN orders o ON o.id = i.order_id
        WHERE p.stock IS NOT NULL GROUP BY p.id, p.stock
    """,
}
# Each table through which things pass; nothing is in it at rest but what is done.
WAITING = {
    "payments": {
        "notices": "SELECT state, key, error FROM notices WHERE state <> 'done'",
        "inbox": "SELECT state, key, error FROM inbox WHERE state <> 'done'",
        "outbox": "SELECT 'unsent' AS state, type AS key, error FROM outbox",
        "refunds": """
            SELECT status AS state, id::text AS key, error FROM refunds
            WHERE status IN ('requested', 'pending', 'processing')
        """,
    },
    "catalog": {
        "inbox": "SELECT state, key, error FROM inbox WHERE state <> 'done'",
        "outbox": "SELECT 'unsent' AS state, type AS key, error FROM outbox",
    },
}
CONNECTIONS = """
    SELECT application_name AS name, coalesce(state, '') AS state,
        coalesce(extract(epoch FROM now() - state_change), 0)::float AS seconds
    FROM pg_stat_activity
    WHERE usename = current_user AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """An entry of a table through which things pass."""

    where: str
    state: str
    key: str
    error: str | None


@dataclass(slots=True)
class Facts:
    payments: dict[str, Row] = field(default_factory=dict)
    refunds: dict[str, list[Row]] = field(default_factory=dict)
    decided: set[str] = field(default_factory=set)
    booked: dict[str, Row] = field(default_factory=dict)
    unbalanced: Sequence[Row] = ()
    orders: dict[str, Row] = field(default_factory=dict)
    deliveries: Sequence[Row] = ()
    told: dict[str, Row] = field(default_factory=dict)
    below_zero: Sequence[Row] = ()
    shelves: dict[str, Row] = field(default_factory=dict)
    waiting: list[Waiting] = field(default_factory=list)
    connections: Sequence[Row] = ()
    dead_letters: dict[str, int] = field(default_factory=dict)
    transactions: dict[str, Row] = field(default_factory=dict)
    """At Paystack, by reference; so are the refunds."""
    returned: dict[str, list[Row]] = field(default_factory=dict)


class Sources:
    """Where the facts are. `since`: how far back Paystack is asked for transactions."""

    def __init__(self, env: Mapping[str, str], since: datetime | None = None) -> None:
        self.env = env
        self.since = since

    @asynccontextmanager
    async def database(self, service: str) -> AsyncIterator[asyncpg.Connection]:
        connection = await asyncpg.connect(self.env[f"{service.upper()}_DATABASE_URL"], timeout=5)
        try:
            yield connection
        finally:
            await connection.close(timeout=5)

    async def facts(self) -> Facts:
        """All of them, as of about now."""
        facts = Facts()
        (payments, catalog), facts.waiting, facts.dead_letters, _ = await asyncio.gather(
            asyncio.gather(self._read("payments", PAYMENTS), self._read("catalog", CATALOG)),
            self.waiting(),
            self.dead_letters(),
            self._ask_paystack(facts),
        )
        facts.payments = {row["reference"]: row for row in payments["payments"]}
        facts.refunds = grouped(payments["refunds"], "reference")
        facts.decided = {row["reference"] for row in payments["decisions"]}
        facts.booked = {row["reference"]: row for row in payments["booked"]}
        facts.unbalanced = payments["unbalanced"]
        facts.orders = {str(row["id"]): row for row in catalog["orders"]}
        facts.deliveries = catalog["deliveries"]
        facts.told = {row["reference"]: row for row in catalog["told"]}
        facts.below_zero = catalog["below_zero"]
        facts.shelves = {str(row["id"]): row for row in catalog["shelves"]}
        facts.connections = [row for service in ("auth", "catalog", "payments") for row in await self._open(service)]
        return facts

    async def waiting(self) -> list[Waiting]:
        found = []
        for service, tables in WAITING.items():
            for table, rows in (await self._read(service, tables)).items():
                where = f"{service}.{table}"
                found += [Waiting(where, row["state"], str(row["key"]), row["error"]) for row in rows]
        return found

    async def dead_letters(self) -> dict[str, int]:
        """Messages that a queue could not get rid of otherwise."""
        async with asyncio.timeout(QUERY_SECONDS), await aio_pika.connect(self.env["AMQP_URL"], timeout=5) as broker:
            channel = await broker.channel()
            found = {}
            for queue in (CATALOG_PAYMENTS, PAYMENTS_ORDERS):
                declared = await channel.get_queue(queue.dead)
                found[queue.dead] = declared.declaration_result.message_count or 0
            return found

    async def webhooks_taken(self) -> int:
        """How many deliveries the sandbox saw answered 200."""
        async with httpx.AsyncClient(
            base_url=self.env["SANDBOX_URL"], timeout=10, trust_env=False, verify=PLAIN
        ) as client:
            return int((await client.get("/sandbox/webhooks")).raise_for_status().json()["data"]["delivered"])

    async def _read(self, service: str, queries: Mapping[str, str]) -> dict[str, list[Row]]:
        """In one snapshot."""
        async with (
            self.database(service) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            return {
                name: [dict(row) for row in await connection.fetch(query, timeout=QUERY_SECONDS)]
                for name, query in queries.items()
            }

    async def _open(self, service: str) -> list[Row]:
        async with self.database(service) as connection:
            return [dict(row) for row in await connection.fetch(CONNECTIONS, timeout=QUERY_SECONDS)]

    async def _ask_paystack(self, facts: Facts) -> None:
        headers = {"Authorization": f"Bearer {self.env['PAYSTACK_SECRET_KEY']}"}
        url = self.env["SANDBOX_URL"]
        async with httpx.AsyncClient(
            base_url=url, headers=headers, timeout=10, trust_env=False, verify=PLAIN
        ) as client:
            transactions = [row async for row in self._pages(client, "/transaction")]
            facts.transactions = {row["reference"]: row for row in transactions}
            facts.returned = grouped([row async for row in self._pages(client, "/refund")], "transaction_reference")

    async def _pages(self, client: httpx.AsyncClient, path: str) -> AsyncIterator[Row]:
        query: dict[str, str | int] = {"perPage": PAGE} | ({"from": self.since.isoformat()} if self.since else {})
        page, pages = 1, 1
        while page <= pages:
            answer = (await client.get(path, params={**query, "page": page})).raise_for_status().json()
            pages = answer["meta"]["pageCount"]
            page += 1
            for row in answer["data"]:
                yield row


def grouped(rows: Iterable[Row], name: str) -> dict[str, list[Row]]:
    found: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row[name]].append(row)
    return dict(found)
