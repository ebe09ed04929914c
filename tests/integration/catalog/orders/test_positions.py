"""The list of orders reads a bounded number of rows of a large table, whatever its filters are and however rare or old their matches."""

import itertools
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Select, exists, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.catalog.order_models import Order, OrderItem
from services.catalog.orders import positions
from services.catalog.orders.filters import OrderFilter
from services.catalog.orders.positions import OrderSort, Page, Position, find_positions
from services.catalog.statuses import OrderStatus
from tests.fixtures.apps import RunningApp
from tests.fixtures.catalog import empty_tables
from tests.fixtures.owners import owner_sessions
from tests.fixtures.statements import recorded_with_parameters

ROWS, BATCH, SECONDS, LIMIT = 20_000, 1_000, 90, 21
SORTED = 1_000
"""If words or a range of amounts have more matches, they are not sorted: orders are read by time."""

FEW_ROWS = 3 * SORTED
"""The matches are counted, and read to sort them. A list by time or by another index reads less."""

START = datetime(2026, 1, 1, tzinfo=UTC)
OLD, FEW, COMMON = UUID(int=1), UUID(int=2), UUID(int=3)
PRODUCTS = """
    INSERT INTO products (id, slug, name, price, currency)
    SELECT id, 'p-' || id, 'Cup', 1, 'NGN' FROM unnest(CAST(:ids AS uuid[])) AS id
"""
VARIANTS = "INSERT INTO variants (id, product_id) SELECT id, id FROM unnest(CAST(:ids AS uuid[])) AS id"
# Most orders are delivered, and of one product. Whatever few orders have, only old ones have: in the new part of the table, nothing is as
# the statistics of the whole table say.
INSERT = """
    WITH placed AS (
        INSERT INTO orders (
            id, number, customer_id, customer_email, customer_name, status, amount, currency, created_at, expires_at,
            customer_external_id
        )
        SELECT CAST(lpad(to_hex(n * 7919 % 65536), 4, '0') || '0000-0000-0000-0000-' || lpad(to_hex(n), 12, '0') AS uuid),
            translate(substr(hex, 1, 4) || '-' || substr(hex, 5), '01', 'XY'), customer, initcap(customer) || '@Shop.example',
            CASE WHEN n <= 20 THEN 'Zuri' WHEN n <= 900 THEN 'Early' WHEN n <= 4000 THEN 'Ancient'
                WHEN n % 3 = 0 THEN 'Ada' ELSE 'Obi' END,
            CASE WHEN n <= 20 THEN 'paid' WHEN n <= 4000 AND n % 2 = 0 THEN 'expired' WHEN n <= 4000 THEN 'refunded'
                WHEN n > CAST(:rows AS int) - 5 THEN 'pending' ELSE 'delivered' END,
            CASE WHEN n <= 900 THEN 100000 + n WHEN n <= 4000 THEN 777 ELSE 1000 + n % 500 END,
            CASE WHEN n % 100 = 0 THEN 'USD' ELSE 'NGN' END, at, at,
            CASE WHEN n % 500 = 1 AND n <= 9000 THEN 'x-old' WHEN n % 3 = 1 THEN 'x-common' || n % 2 END
        FROM generate_series(CAST(:first AS int), CAST(:last AS int)) AS n, upper(lpad(to_hex(n), 8, '0')) AS hex,
            LATERAL (SELECT CAST(:start AS timestamptz) + (n / 3) * interval '90 s') AS moments (at),
            LATERAL (SELECT CASE WHEN n % 2 = 0 AND n <= 2000 THEN 'old' WHEN n % 14000 = 1 THEN 'few' ELSE 'c-' || n END) AS
                owners (customer)
        RETURNING id, created_at, CASE WHEN amount > 100000 AND amount % 300 = 0 THEN CAST(:few AS uuid)
            WHEN amount > 2000 OR amount = 777 THEN CAST(:old AS uuid) ELSE CAST(:common AS uuid) END AS product
    )
    INSERT INTO order_items (order_id, variant_id, product_id, position, name, slug, quantity, unit_price, created_at)
    SELECT id, product, product, 0, 'Cup', 'cup', 1, 1, created_at FROM placed
"""

FILTERS: dict[str, dict[str, Any]] = {
    "none": {},
    "number": {"number": "XXXX-XXXA"},
    "unknown number": {"number": "ZZZZ-ZZZZ"},
    "old customer": {"customer": "old"},
    "customer with few orders": {"customer": "few"},
    "own orders": {"owner": "old"},
    "own orders with an old status": {"owner": "old", "statuses": [OrderStatus.PAID]},
    "orders of another customer": {"owner": "old", "customer": "few"},
    "email": {"email": "OLD@shop.example"},
    "unknown email": {"email": "nobody@example.com"},
    "external id": {"external_id": "x-old"},
    "own orders with an external id": {"owner": "few", "external_id": "x-old"},
    "unknown external id": {"external_id": "x-9"},
    "old product": {"product_id": OLD},
    "product with few orders": {"product_id": FEW},
    "common product": {"product_id": COMMON},
    "unknown product": {"product_id": UUID(int=9)},
    "product and email": {"product_id": OLD, "email": "old@shop.example"},
    **{f"status {status}": {"statuses": [status]} for status in OrderStatus},
    "two statuses": {"statuses": [OrderStatus.PAID, OrderStatus.CANCELLED]},
    "all statuses": {"statuses": list(OrderStatus)},
    "old amount": {"min_amount": 777, "max_amount": 777},
    "old amounts": {"min_amount": 50_000},
    "all amounts": {"max_amount": 10_000_000},
    "no amounts": {"min_amount": 5_000, "max_amount": 4_000},
    "few words": {"words": ["zuri"]},
    "old words": {"words": ["early"]},
    "beginning of words": {"words": ["exam", "sho"]},
    "common words": {"words": ["shop", "example"]},
    "unknown words": {"words": ["nobody"]},
    "currency": {"currency": "USD"},
    "words and status": {"words": ["zuri"], "statuses": [OrderStatus.PAID]},
}
COMBINED = {"product and email", "words and status"}
"""Of two filters, one is checked for each match of the other."""

PERIODS: dict[str, dict[str, datetime]] = {
    "always": {},
    "early": {"until": START + timedelta(days=1)},
    "late": {"since": START + timedelta(seconds=ROWS * 30 - 3600)},
}


@pytest.fixture(scope="module")
async def empty_catalog(catalog: RunningApp) -> None:
    """Empty the tables once, not for each test."""
    await empty_tables()


@pytest.fixture(scope="module")
async def large_table(empty_catalog: None) -> AsyncIterator[AsyncSession]:
    """A session of the owner, because of ANALYZE, in a transaction with many orders."""
    async with owner_sessions("catalog")() as session:
        await session.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        products = {"old": OLD, "few": FEW, "common": COMMON}
        for statement in (PRODUCTS, VARIANTS):
            await session.execute(text(statement), {"ids": list(products.values())})
        for first in range(1, ROWS, BATCH):
            values = {"rows": ROWS, "start": START, "first": first, "last": first + BATCH - 1, **products}
            await session.execute(text(INSERT), values)
        for table in ("orders", "order_items"):
            await session.execute(text(f"ANALYZE {table}"))
        yield session
        await session.rollback()


@pytest.fixture(autouse=True)
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(positions, "SORTED_WITH_WORDS", SORTED)
    monkeypatch.setattr(positions, "SORTED_WITH_AMOUNTS", SORTED)


def rows_read(plan: dict[str, Any]) -> int:
    """Return how many rows the scans of a plan read, whether they passed its filters or not."""
    rows = 0
    if "Scan" in plan["Node Type"] and plan["Node Type"] not in {"Bitmap Index Scan", "CTE Scan", "Subquery Scan"}:
        removed = plan.get("Rows Removed by Filter", 0) + plan.get("Rows Removed by Index Recheck", 0)
        rows = round((plan["Actual Rows"] + removed) * plan["Actual Loops"])
    return rows + sum(rows_read(child) for child in plan.get("Plans", []))


async def explain(session: AsyncSession, statement: str, parameters: Any) -> int:
    """Run a statement. Return how many rows it read."""
    connection = await session.connection()
    found = await connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters)
    value = found.scalar_one()
    return rows_read((json.loads(value) if isinstance(value, str) else value)[0]["Plan"])


def simple_query(selected: OrderFilter) -> Select[UUID]:
    """Return the obvious query for the same orders."""
    query = select(Order.id).where(
        *(Order.customer_id == account for account in (selected.owner, selected.customer) if account is not None)
    )
    if selected.statuses:
        query = query.where(Order.status.in_(selected.statuses))
    if selected.email is not None:
        query = query.where(func.lower(Order.customer_email) == selected.email.lower())
    if selected.external_id is not None:
        query = query.where(Order.customer_external_id == selected.external_id)
    if selected.product_id is not None:
        query = query.where(exists().where(OrderItem.order_id == Order.id, OrderItem.product_id == selected.product_id))
    for word in selected.words:
        found = func.concat(" ", Order.customer_name, " ", func.replace(Order.customer_email, "@", " "), ".").ilike
        query = query.where(found(f"% {word}%") | found(f"%.{word}%"))
    if selected.number is not None:
        query = query.where(Order.number == selected.number)
    if selected.currency is not None:
        query = query.where(Order.currency == selected.currency)
    if selected.since is not None:
        query = query.where(Order.created_at >= selected.since)
    if selected.until is not None:
        query = query.where(Order.created_at < selected.until)
    least, most = selected.min_amount or 0, 10**9 if selected.max_amount is None else selected.max_amount
    return query.where(Order.amount >= least, Order.amount <= most)


def pages() -> list[Page]:
    """Return the first page and one in the middle, newest first and oldest first."""
    middle = Position(START + timedelta(seconds=ROWS // 6 * SECONDS), UUID(int=1 << 127))
    return [Page(sort=sort, limit=LIMIT, after=after) for sort, after in itertools.product(OrderSort, (None, middle))]


@pytest.mark.parametrize("name", FILTERS)
async def test_list_of_a_large_table_reads_few_rows_and_finds_what_a_simple_query_finds(
    large_table: AsyncSession, name: str
) -> None:
    for period, page in itertools.product(PERIODS.values(), pages()):
        selected = OrderFilter(**{"owner": None} | FILTERS[name] | period)
        with recorded_with_parameters(owner_sessions("catalog").kw["bind"]) as statements:
            found = await find_positions(large_table, selected, page)
        for statement, parameters in statements:
            read = await explain(large_table, statement, parameters)
            assert name in COMBINED or read <= FEW_ROWS, (period, page, statement)
        newest = page.sort == OrderSort.NEWEST
        query = simple_query(selected)
        if page.after is not None:
            position, after = func.row(Order.created_at, Order.id), func.row(*page.after)
            query = query.where(position < after if newest else position > after)
        keys = (Order.created_at.desc(), Order.id.desc()) if newest else (Order.created_at, Order.id)
        expected = (await large_table.execute(query.order_by(*keys).limit(LIMIT))).scalars().all()
        assert [each.id for each in found] == expected, (period, page)
