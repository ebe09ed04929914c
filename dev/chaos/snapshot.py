"""A snapshot of a stack: the rows that the invariants compare, unfinished work, dead letters, and what Paystack has."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import Any

import aio_pika
import asyncpg
import httpx

from contracts.topology import CONSUMED
from dev.chaos.queries import CATALOG, CONNECTIONS, PAYMENTS, UNFINISHED
from dev.stack.names import SERVICES
from dev.stack.readiness import NO_CERTIFICATES

Row = Mapping[str, Any]
PAGE_SIZE = 100
QUERY_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A row with unfinished work. `table`: its table with the service, for example payments.outbox."""

    table: str
    state: str
    key: str
    error: str | None


@dataclass(slots=True)
class Snapshot:
    """Rows by key. The key of payments, refunds, ledger and order payments is the reference, that of orders the id, that of stock the id of
    the variant."""

    payments: dict[str, Row] = field(default_factory=dict)
    refunds: dict[str, list[Row]] = field(default_factory=dict)
    decided: set[str] = field(default_factory=set)
    """References of payments that an operator has decided."""
    ledger: dict[str, Row] = field(default_factory=dict)
    unbalanced: Sequence[Row] = ()
    orders: dict[str, Row] = field(default_factory=dict)
    deliveries: Sequence[Row] = ()
    order_payments: dict[str, Row] = field(default_factory=dict)
    """Rows of catalog's table order_payments, which contains the outcome of each payment."""
    negative_stock: Sequence[Row] = ()
    stock: dict[str, Row] = field(default_factory=dict)
    unfinished: list[Unfinished] = field(default_factory=list)
    connections: Sequence[Row] = ()
    dead_letters: dict[str, int] = field(default_factory=dict)
    transactions: dict[str, Row] = field(default_factory=dict)
    """Transactions at Paystack, by reference."""
    paystack_refunds: dict[str, list[Row]] = field(default_factory=dict)


class SnapshotReader:
    """Reads snapshots of a stack. `since`: older transactions and refunds are not read from Paystack."""

    def __init__(self, env: Mapping[str, str], since: datetime | None = None) -> None:
        self.env = env
        self.since = since

    @asynccontextmanager
    async def database(self, service: str) -> AsyncIterator[asyncpg.Connection]:
        """Connect to the database of a service."""
        connection = await asyncpg.connect(self.env[f"{service.upper()}_DATABASE_URL"], timeout=5)
        try:
            yield connection
        finally:
            await connection.close(timeout=5)

    async def read(self) -> Snapshot:
        """Read all sources at about the same time. Their rows agree with each other only if all work is finished."""
        snapshot = Snapshot()
        (payments, catalog), snapshot.unfinished, snapshot.dead_letters, _ = await asyncio.gather(
            asyncio.gather(self._query("payments", PAYMENTS), self._query("catalog", CATALOG)),
            self.unfinished(),
            self.dead_letters(),
            self._read_paystack(snapshot),
        )
        snapshot.payments = {row["reference"]: row for row in payments["payments"]}
        snapshot.refunds = group_by(payments["refunds"], "reference")
        snapshot.decided = {row["reference"] for row in payments["decisions"]}
        snapshot.ledger = {row["reference"]: row for row in payments["ledger"]}
        snapshot.unbalanced = payments["unbalanced"]
        snapshot.orders = {str(row["id"]): row for row in catalog["orders"]}
        snapshot.deliveries = catalog["deliveries"]
        snapshot.order_payments = {row["reference"]: row for row in catalog["order_payments"]}
        snapshot.negative_stock = catalog["negative_stock"]
        snapshot.stock = {str(row["id"]): row for row in catalog["stock"]}
        snapshot.connections = [row for service in SERVICES for row in await self._connections(service)]
        return snapshot

    async def unfinished(self) -> list[Unfinished]:
        """Return the unfinished work: webhook events, inbox entries, outbox rows and refunds."""
        found = []
        for service, tables in UNFINISHED.items():
            for table, rows in (await self._query(service, tables)).items():
                found += [Unfinished(f"{service}.{table}", row["state"], str(row["key"]), row["error"]) for row in rows]
        return found

    async def dead_letters(self) -> dict[str, int]:
        """Return the number of messages in the dead-letter queue of each queue of contracts/topology.py."""
        async with asyncio.timeout(QUERY_SECONDS), await aio_pika.connect(self.env["AMQP_URL"], timeout=5) as broker:
            channel = await broker.channel()
            found = {}
            for queue in chain.from_iterable(CONSUMED.values()):
                declared = await channel.get_queue(queue.dead_letters)
                found[queue.dead_letters] = declared.declaration_result.message_count or 0
            return found

    async def webhooks_delivered(self) -> int:
        """Return how many webhook deliveries of the sandbox were answered with 200."""
        async with self._sandbox() as client:
            return int((await client.get("/sandbox/webhooks")).raise_for_status().json()["data"]["delivered"])

    def _sandbox(self) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {self.env['PAYSTACK_SECRET_KEY']}"}
        url = self.env["SANDBOX_URL"]
        return httpx.AsyncClient(base_url=url, headers=headers, timeout=10, trust_env=False, verify=NO_CERTIFICATES)

    async def _query(self, service: str, queries: Mapping[str, str]) -> dict[str, list[Row]]:
        """Run several queries in one transaction, so that their results are consistent."""
        async with (
            self.database(service) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            return {
                name: [dict(row) for row in await connection.fetch(query, timeout=QUERY_SECONDS)]
                for name, query in queries.items()
            }

    async def _connections(self, service: str) -> list[Row]:
        async with self.database(service) as connection:
            return [dict(row) for row in await connection.fetch(CONNECTIONS, timeout=QUERY_SECONDS)]

    async def _read_paystack(self, snapshot: Snapshot) -> None:
        async with self._sandbox() as client:
            transactions = [row async for row in self._pages(client, "/transaction")]
            snapshot.transactions = {row["reference"]: row for row in transactions}
            refunds = [row async for row in self._pages(client, "/refund")]
            snapshot.paystack_refunds = group_by(refunds, "transaction_reference")

    async def _pages(self, client: httpx.AsyncClient, path: str) -> AsyncIterator[Row]:
        query: dict[str, str | int] = {"perPage": PAGE_SIZE} | ({"from": self.since.isoformat()} if self.since else {})
        page, pages = 1, 1
        while page <= pages:
            answer = (await client.get(path, params={**query, "page": page})).raise_for_status().json()
            pages = answer["meta"]["pageCount"]
            page += 1
            for row in answer["data"]:
                yield row


def group_by(rows: Iterable[Row], column: str) -> dict[str, list[Row]]:
    """Group rows by the value of a column."""
    groups: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row[column]].append(row)
    return dict(groups)
