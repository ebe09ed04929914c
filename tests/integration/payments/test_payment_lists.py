"""GET /payments reads a bounded number of rows of a large table, whatever its filters are and however rare their matches."""

import itertools
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.payments.models import Payment
from services.payments.payment_lists import PaymentFilter, list_payments
from services.payments.statuses import PaymentStatus
from tests.fixtures.apps import RunningApp
from tests.fixtures.owners import owner_sessions
from tests.fixtures.payments import empty_payments_database
from tests.fixtures.plans import explain, recorded

ROWS, BATCH, SECONDS, LIMIT = 200_000, 10_000, 90, 21
FEW_ROWS, FEW_PAGES = 2_000, 600
"""One percent of the rows: a list may read LIMIT rows of each status, and all rows of a short period if the planner expects few matches."""

OF_OLD_CUSTOMER = 6_000
"""The payments of `customer-old`, which a list of this customer may read until enough of them match."""

START = datetime(2026, 1, 1, tzinfo=UTC)
END = START + timedelta(seconds=ROWS * SECONDS)
# Succeeded payments, one every 90 seconds. The others are old, except for six disputed ones in the middle and the newest, which are
# pending: the statistics of the whole table say nothing about a part of it. One customer has made 3 % of the payments, long ago.
INSERT = """
    INSERT INTO payments (reference, customer_id, amount, currency, status, order_id, verify_next_attempt_at, created_at,
        customer_external_id)
    SELECT 'many-' || n,
        CASE WHEN n % 2 = 0 AND n <= 12000 THEN 'customer-old' WHEN n % 70000 = 1 THEN 'customer-few' ELSE 'customer-' || n END,
        1, 'NGN',
        CASE WHEN n <= 20 THEN 'held' WHEN n <= 12000 AND n % 3 = 0 THEN 'abandoned' WHEN n <= 12000 AND n % 3 = 1 THEN 'failed'
            WHEN n BETWEEN 90000 AND 90005 THEN 'disputed' WHEN n > CAST(:rows AS int) - 5 THEN 'pending' ELSE 'succeeded' END,
        gen_random_uuid(), 'infinity', CAST(:start AS timestamptz) + n * interval '90 s',
        CASE WHEN n % 1000 = 2 AND n <= 12000 THEN 'x-old' WHEN n % 3 = 1 THEN 'x-' || n % 2 END
    FROM generate_series(CAST(:first AS int), CAST(:last AS int)) AS n
"""

PERIODS: dict[str, tuple[datetime | None, datetime | None]] = {
    "always": (None, None),
    "until early": (None, START + timedelta(days=1)),
    "until before all": (None, START - timedelta(days=1)),
    "until late": (None, END - timedelta(days=1)),
    "since early": (START + timedelta(days=1), None),
    "since late": (END - timedelta(hours=1), None),
    "since after all": (END + timedelta(days=1), None),
    "one hour": (START + timedelta(days=100), START + timedelta(days=100, hours=1)),
    "half": (START + timedelta(days=50), START + timedelta(days=150)),
}
STATUSES: list[tuple[PaymentStatus, ...]] = [
    (),
    *((status,) for status in PaymentStatus),
    (PaymentStatus.HELD, PaymentStatus.DISPUTED),
    (PaymentStatus.FAILED, PaymentStatus.SUCCEEDED),
    tuple(PaymentStatus),
]
CUSTOMERS = [None, "customer-old", "customer-few", "customer-unknown"]


@pytest.fixture(scope="module")
async def large_table(started_payments: RunningApp) -> AsyncIterator[AsyncSession]:
    """A session of the owner, because of ANALYZE, in a transaction with many payments."""
    await empty_payments_database()  # later, the rows of an earlier test could not be deleted beside this transaction
    async with owner_sessions("payments")() as session:
        await session.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        for first in range(1, ROWS, BATCH):
            values = {"rows": ROWS, "start": START, "first": first, "last": first + BATCH - 1}
            await session.execute(text(INSERT), values)
        await session.execute(text("ANALYZE payments"))
        pages = await session.execute(text("SELECT relpages FROM pg_class WHERE relname = 'payments'"))
        assert pages.scalar_one() > 5 * FEW_PAGES
        yield session
        await session.rollback()


@pytest.mark.parametrize("customer", CUSTOMERS)
@pytest.mark.parametrize("period", PERIODS)
async def test_list_of_a_large_table_reads_few_rows(
    large_table: AsyncSession, customer: str | None, period: str
) -> None:
    since, until = PERIODS[period]
    of_customer = select(func.count()).select_from(Payment).where(Payment.customer_id == customer)
    # The payments of one customer are read until enough of them match; there is no index on customer and status.
    most = 0 if customer is None else int((await large_table.execute(of_customer)).scalar_one())
    middle = int((await large_table.execute(select(func.min(Payment.id)))).scalar_one()) + ROWS // 2
    for statuses, before in itertools.product(STATUSES, (None, middle)):
        selected = PaymentFilter(customer_id=customer, statuses=statuses, since=since, until=until)
        with recorded(large_table) as statements:
            await list_payments(large_table, selected, LIMIT, before)
        for statement, parameters in statements:
            rows, pages = await explain(large_table, statement, parameters)
            assert rows <= most + FEW_ROWS, (statuses, before, statement)
            assert pages <= most + FEW_PAGES, (statuses, before, statement)


@pytest.mark.parametrize("customer", CUSTOMERS)
async def test_list_by_external_id_reads_few_rows_and_finds_what_a_simple_query_finds(
    large_table: AsyncSession, customer: str | None
) -> None:
    for (since, until), statuses, external_id in itertools.product(
        PERIODS.values(), STATUSES, ("x-old", "x-1", "x-unknown")
    ):
        selected = PaymentFilter(
            customer_id=customer, external_id=external_id, statuses=statuses, since=since, until=until
        )
        with recorded(large_table) as statements:
            found = await list_payments(large_table, selected, LIMIT)
        conditions = [Payment.customer_external_id == external_id]
        if customer is not None:
            conditions.append(Payment.customer_id == customer)
        if statuses:
            conditions.append(Payment.status.in_(statuses))
        if since is not None:
            conditions.append(Payment.created_at >= since)
        if until is not None:
            conditions.append(Payment.created_at < until)
        query = select(Payment.id).where(*conditions).order_by(Payment.id.desc()).limit(LIMIT)
        assert [each.id for each in found] == list((await large_table.execute(query)).scalars()), selected
        if external_id == "x-1":  # a third of the table
            continue
        for statement, parameters in statements:
            rows, pages = await explain(large_table, statement, parameters)
            assert rows <= FEW_ROWS, (selected, statement)
            assert pages <= FEW_PAGES, (selected, statement)


@pytest.mark.parametrize("period", PERIODS)
async def test_list_of_a_large_table_shows_what_a_simple_query_finds(large_table: AsyncSession, period: str) -> None:
    since, until = PERIODS[period]
    for statuses, customer in itertools.product(STATUSES, CUSTOMERS):
        query = select(Payment.id)
        if statuses:
            query = query.where(Payment.status.in_(statuses))
        if customer is not None:
            query = query.where(Payment.customer_id == customer)
        if since is not None:
            query = query.where(Payment.created_at >= since)
        if until is not None:
            query = query.where(Payment.created_at < until)
        expected = (await large_table.execute(query.order_by(Payment.id.desc()).limit(LIMIT))).scalars().all()
        selected = PaymentFilter(customer_id=customer, statuses=statuses, since=since, until=until)
        found = await list_payments(large_table, selected, LIMIT)
        assert [payment.id for payment in found] == expected, (statuses, customer)


@pytest.mark.parametrize("target", [1, 5])
async def test_list_of_one_customer_when_the_statistics_are_poor_reads_few_rows(
    large_table: AsyncSession, target: int
) -> None:
    """The planner then believes that other ways are as cheap as the index on the customer or on the external id."""
    middle = int((await large_table.execute(select(func.min(Payment.id)))).scalar_one()) + ROWS // 2
    await large_table.execute(text(f"SET LOCAL default_statistics_target = {target}"))
    try:
        for _ in range(2):
            await large_table.execute(text("ANALYZE payments"))
            for (since, until), statuses, before, name in itertools.product(
                PERIODS.values(),
                ((), (PaymentStatus.HELD,), (PaymentStatus.SUCCEEDED,)),
                (None, middle),
                (PaymentFilter(customer_id="customer-old"), PaymentFilter(external_id="x-old")),
            ):
                selected = replace(name, statuses=statuses, since=since, until=until)
                with recorded(large_table) as statements:
                    await list_payments(large_table, selected, LIMIT, before)
                for statement, parameters in statements:
                    rows, _ = await explain(large_table, statement, parameters)
                    assert rows <= OF_OLD_CUSTOMER + FEW_ROWS, (selected, before, statement)
    finally:
        await large_table.execute(text("SET LOCAL default_statistics_target = 100"))
        await large_table.execute(text("ANALYZE payments"))
