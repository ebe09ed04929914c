"""The checker of the invariants finds each violation.

A violation is a view in front of a table, on the search path of the checker's connections only: the services do not see it.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import aio_pika
import asyncpg
import httpx
import pytest

from contracts.topology import CATALOG_ACCOUNTS, CATALOG_PAYMENTS, PAYMENTS_ACCOUNTS, PAYMENTS_ORDERS, Queue
from dev.chaos import resources, rules
from dev.chaos.invariants import Invariants, InvariantViolated, format_violations
from dev.chaos.leaks import LogScanner
from dev.chaos.resources import Usage
from dev.chaos.snapshot import Snapshot, SnapshotReader
from dev.process.console import Console
from dev.stack.stack import Stack
from tests.fixtures.stack_client import Json, StackClient


@dataclass(frozen=True)
class Purchases:
    """A delivered purchase, and the reference of a refunded one."""

    since: datetime
    order: Json
    reference: str
    refunded: str


@pytest.fixture(scope="module")
async def purchases(stack: Stack, shop: StackClient) -> Purchases:
    since = Invariants(stack).reader.since
    assert since is not None
    product = await shop.product(stock=9)
    buyer, order, payment = await shop.buy(product)
    other, _, returned = await shop.buy(product)
    await shop.wait_payment_status(other, returned["reference"], "succeeded")
    url = f"{shop.env['PAYMENTS_URL']}/payments/{returned['reference']}/refunds"
    await shop.call("POST", url, json={"all": True}, headers={**shop.admin, "Idempotency-Key": uuid4().hex}, expect=202)
    await shop.wait_payment_status(other, returned["reference"], "refunded")
    await shop.wait_delivered(buyer, order)
    return Purchases(since, order, payment["reference"], returned["reference"])


def as_owner(env: Mapping[str, str]) -> dict[str, str]:
    """Return the environment with the owners of the tables as the roles: the applications' roles may not create a schema."""
    owners = {
        name.replace("_MIGRATION", ""): url for name, url in env.items() if name.endswith("_MIGRATION_DATABASE_URL")
    }
    return {**env, **owners}


class ViolatedReader(SnapshotReader):
    @asynccontextmanager
    async def database(self, service: str) -> AsyncIterator[asyncpg.Connection]:
        async with super().database(service) as connection:
            await connection.execute("SET search_path = violated, pg_catalog, public")
            yield connection


@asynccontextmanager
async def violated(
    invariants: Invariants, service: str, table: str, more: str, changes: dict[str, str]
) -> AsyncIterator[Snapshot]:
    """Read a snapshot with other values in some columns of a table, and with `more` after its FROM."""
    schema = "pg_catalog" if table.startswith("pg_") else "public"
    async with SnapshotReader(as_owner(invariants.reader.env)).database(service) as connection:
        columns = [
            row["attname"]
            for row in await connection.fetch(
                "SELECT attname FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped"
                " ORDER BY attnum",
                f"{schema}.{table}",
            )
        ]
        selected = ", ".join(f"{changes.get(column, column)} AS {column}" for column in columns)
        await connection.execute("DROP SCHEMA IF EXISTS violated CASCADE; CREATE SCHEMA violated")
        try:
            view = f"CREATE VIEW violated.{table} AS SELECT {selected} FROM {schema}.{table} {more}"
            await connection.execute(view.replace("ALL_COLUMNS", ", ".join(columns)))
            yield await ViolatedReader(as_owner(invariants.reader.env), invariants.reader.since).read()
        finally:
            await connection.execute("DROP SCHEMA violated CASCADE")


CASES = [
    ("I1", "payments", "payments", "", {"status": "CASE reference WHEN '{reference}' THEN 'pending' ELSE status END"}),
    ("I1", "payments", "payments", "WHERE reference <> '{reference}'", {}),
    ("I1", "payments", "payments", "", {"paid_amount": "paid_amount + 1"}),
    ("I1", "payments", "payments", "", {"paid_currency": "'USD'"}),
    ("I2", "catalog", "deliveries", "WHERE payment_reference <> '{reference}'", {}),
    ("I2", "catalog", "deliveries", "UNION ALL SELECT ALL_COLUMNS FROM public.deliveries", {}),
    ("I3", "payments", "payments", "", {"status": "CASE reference WHEN '{reference}' THEN 'held' ELSE status END"}),
    ("I3", "payments", "payments", "", {"order_id": "CASE WHEN reference = '{reference}' THEN gen_random_uuid() ELSE order_id END"}),
    ("I3", "payments", "payments", "WHERE reference <> '{reference}'", {}),
    ("I3", "catalog", "orders", "", {"amount": "CASE payment_reference WHEN '{reference}' THEN amount + 1 ELSE amount END"}),
    ("I3", "catalog", "orders", "", {"currency": "CASE payment_reference WHEN '{reference}' THEN 'USD' ELSE currency END"}),
    ("I3", "catalog", "deliveries", "WHERE payment_reference <> '{reference}'", {}),
    ("I4", "catalog", "stock_levels", "", {"reserved": "on_hand + 1"}),
    ("I4", "catalog", "stock_levels", "", {"on_hand": "on_hand + 1"}),
    ("I4", "catalog", "stock_movements", "", {"on_hand_change": "on_hand_change + 1"}),
    ("I4", "catalog", "order_items", "", {"stock_state": "'released'"}),
    ("I5", "payments", "webhook_events", "", {"status": "'failed'"}),
    ("I5", "catalog", "inbox", "", {"status": "'pending'"}),
    ("I5", "auth", "outbox", "RIGHT JOIN generate_series(1, 1) ON true", {}),
    ("I8", "payments", "pg_stat_activity", "", {"state": "'idle in transaction'", "state_change": "now() - interval '1 hour'"}),
    ("I8", "payments", "pg_stat_activity", "CROSS JOIN generate_series(1, 100)", {}),
    ("ledger", "payments", "ledger_entries", "", {"amount": "amount + line"}),
    ("ledger", "payments", "payments", "", {"paid_amount": "paid_amount + 1"}),
    ("ledger", "payments", "payments", "", {"fees": "fees + 1"}),
    ("refunds", "payments", "refunds", "WHERE false", {}),
    ("refunds", "payments", "payments", "", {"refunded_amount": "0"}),
    ("undeliverable", "catalog", "order_payments", "", {"outcome": "'undeliverable'"}),
    ("undeliverable", "payments", "refunds", "", {"requested_by": "'catalog'"}),
    ("acknowledged", "catalog", "orders", "WHERE payment_reference <> '{reference}'", {}),
    ("acknowledged", "payments", "payments", "WHERE reference <> '{reference}'", {}),
]  # fmt: skip


@pytest.mark.parametrize(("invariant", "service", "table", "more", "changes"), CASES)
async def test_violation_is_found(
    stack: Stack,
    shop: StackClient,
    purchases: Purchases,
    invariant: str,
    service: str,
    table: str,
    more: str,
    changes: dict[str, str],
) -> None:
    checker = Invariants(stack, shop)
    checker.reader.since = purchases.since
    named = {column: value.format(reference=purchases.reference) for column, value in changes.items()}
    async with violated(checker, service, table, more.format(reference=purchases.reference), named) as snapshot:
        assert checker.check_snapshot(snapshot)[invariant]


async def test_stack_without_violation_violates_nothing(stack: Stack, shop: StackClient, purchases: Purchases) -> None:
    checker = Invariants(stack, shop)
    checker.reader.since = purchases.since
    assert format_violations(await checker.violations()) == ""


async def test_check_names_all_violations(stack: Stack, shop: StackClient, purchases: Purchases) -> None:
    checker = Invariants(stack, shop)
    checker.reader.since = purchases.since
    async with violated(checker, "payments", "payments", f"WHERE reference <> '{purchases.reference}'", {}):
        checker.reader = ViolatedReader(as_owner(stack.env), purchases.since)
        with pytest.raises(InvariantViolated) as broken:
            await checker.check(0)
    for name in ("I1", "I3", "acknowledged"):
        assert f"  {name}, " in str(broken.value)


async def test_second_automatic_refund_is_found(stack: Stack, purchases: Purchases) -> None:
    snapshot = await Invariants(stack).reader.read()
    snapshot.order_payments = {purchases.refunded: {"outcome": "undeliverable"}}
    (refund,) = snapshot.refunds[purchases.refunded]
    snapshot.refunds = {purchases.refunded: [{**refund, "requested_by": "catalog"}]}
    assert list(rules.undeliverable_refunded_once(snapshot)) == []
    snapshot.refunds[purchases.refunded] *= 2
    assert list(rules.undeliverable_refunded_once(snapshot)) == [
        f"{purchases.refunded}: undeliverable, and refunded automatically 2 times"
    ]


async def test_delivery_without_payment_and_second_order_are_found(
    stack: Stack, shop: StackClient, purchases: Purchases
) -> None:
    checker = Invariants(stack, shop)
    checker.reader.since = purchases.since
    snapshot = await checker.reader.read()
    assert purchases.reference not in "".join(rules.deliveries_paid_at_paystack(snapshot, shop.acknowledged))
    snapshot.transactions[purchases.reference] = {**snapshot.transactions[purchases.reference], "paid_at": None}
    assert purchases.reference in "".join(rules.deliveries_paid_at_paystack(snapshot, shop.acknowledged))
    assert not list(rules.one_order_per_request(snapshot, shop.acknowledged))
    order = snapshot.orders[purchases.order["id"]]
    snapshot.orders["another"] = order
    assert list(rules.one_order_per_request(snapshot, shop.acknowledged)) == [
        f"customer {order['customer_id']}: 2 orders for 1 requests"
    ]


@pytest.mark.parametrize(
    "consumed", [CATALOG_PAYMENTS, CATALOG_ACCOUNTS, PAYMENTS_ORDERS, PAYMENTS_ACCOUNTS], ids=lambda queue: queue.name
)
async def test_dead_letter_is_found(stack: Stack, shop: StackClient, consumed: Queue) -> None:
    checker = Invariants(stack, shop)
    async with await aio_pika.connect(stack.env["AMQP_URL"], timeout=5) as broker:
        channel = await broker.channel()
        queue = await channel.get_queue(consumed.dead_letters)
        await channel.default_exchange.publish(aio_pika.Message(b"{}"), queue.name)
        try:
            found = checker.check_snapshot(await checker.reader.read())
        finally:
            await queue.purge()
    assert found["I5"] == [f"{consumed.dead_letters}: 1 dead letters"]


@pytest.mark.parametrize(
    ("status", "headers", "invalid"),
    [
        (500, {}, True),
        (503, {}, True),
        (502, {"Retry-After": "1"}, True),
        (503, {"Retry-After": "1"}, False),
        (404, {}, False),
    ],
)
async def test_invalid_answer_is_found(
    stack: Stack, shop: StackClient, status: int, headers: dict[str, str], invalid: bool
) -> None:
    checker = Invariants(stack, shop)
    request = httpx.Request("GET", f"{shop.env['CATALOG_URL']}/catalog/products")
    shop.answers.record(httpx.Response(status, headers=headers, request=request))
    try:
        assert bool(checker.check_snapshot(Snapshot())["I6"]) == invalid
    finally:
        if invalid:
            shop.answers.invalid.pop()


@pytest.mark.parametrize(
    "line",
    [
        "key sk_test_1234567890abcdef",
        "Authorization: Bearer eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
        "charged AUTH_8dfhjjdt",
        "card 4084084084084081 declined",
        "hash $2b$10$abcdefghijklmnopqrstuv",
        "{ADMIN_PASSWORD}",
        "{PAYSTACK_SECRET_KEY}",
        "{CATALOG_DATABASE_URL}",
    ],
)
async def test_secret_in_a_log_is_found(stack: Stack, tmp_path: Path, line: str) -> None:
    log = tmp_path / "processes.log"
    with log.open("w") as file:
        console = Console(output=file)
        checker = Invariants(stack, logs=LogScanner(log), console=console)
        console.print_output(
            "payments", "a request with the number 4084084084084082, pay-4084084084084081 and AUTH_PORT"
        )
        assert (await checker.violations(0))["I7"] == []
        console.print_output("payments", line.format_map(stack.env))
        (leak, *_) = (await checker.violations(0))["I7"]
        console.close()
    assert "processes.log" in leak
    assert line.format_map(stack.env) not in leak


def test_growth_of_resources_is_found() -> None:
    before = {"auth": Usage(20, 90), "rabbitmq": Usage(80, 150), "sandbox": Usage(20, 60)}
    assert not list(resources.growth(before, before))
    now = {"auth": Usage(2_000, 90), "rabbitmq": Usage(80, 1_000), "sandbox": None}
    assert list(resources.growth(before, now)) == [
        "auth: 20 open files at the start, 2000 now",
        "rabbitmq: 150 MB at the start, 1000 MB now",
        "sandbox is not running",
    ]
