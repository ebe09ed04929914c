"""GET /payments/refunds and GET /payments/webhook-events read a bounded number of rows of large tables, however rare their matches are."""

import itertools
from collections.abc import AsyncIterator, Coroutine
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from kit.messaging.entry_status import EntryStatus
from services.payments.refunds.lists import list_all_refunds
from services.payments.refunds.models import Refund
from services.payments.statuses import RefundStatus
from services.payments.webhooks.models import WebhookEvent
from services.payments.webhooks.queries import Filter, list_page
from tests.fixtures.apps import RunningApp
from tests.fixtures.owners import owner_sessions
from tests.fixtures.payments import empty_payments_database
from tests.fixtures.plans import explain, recorded

ROWS, BATCH, LIMIT = 60_000, 5_000, 21
FEW_ROWS, FEW_PAGES = 1_200, 600
START = datetime(2026, 1, 1, tzinfo=UTC)
REFUNDS = """
    WITH paid AS (
        INSERT INTO payments (reference, amount, currency, status, order_id, verify_next_attempt_at)
        SELECT 'many-' || n, 1, 'NGN', 'succeeded', gen_random_uuid(), 'infinity'
        FROM generate_series(CAST(:first AS int), CAST(:last AS int)) AS n
        RETURNING id
    )
    INSERT INTO refunds (id, payment_id, amount, currency, requested_by, status)
    SELECT gen_random_uuid(), id, 1, 'NGN', 'many',
        CASE WHEN n <= 200 THEN 'failed' WHEN n <= 300 THEN 'needs-attention' WHEN n > CAST(:rows AS int) - 5 THEN 'requested'
            ELSE 'processed' END
    FROM (SELECT id, row_number() OVER (ORDER BY id) + CAST(:first AS int) - 1 AS n FROM paid) AS numbered
"""
WEBHOOK_EVENTS = """
    INSERT INTO webhook_events (key, body, headers, status, event, reference, received_at, next_attempt_at)
    SELECT 'many-' || n, '{}', '{}',
        CASE WHEN n <= 200 THEN 'failed' WHEN n > CAST(:rows AS int) - 50 THEN 'pending' ELSE 'processed' END,
        CASE WHEN n % 500 = 1 THEN 'charge.dispute.create' WHEN n = 7 THEN 'transfer.success' WHEN n <= 200 THEN 'refund.failed'
            ELSE 'charge.success' END,
        'many-' || n, CAST(:start AS timestamptz) + n * interval '90 s', now()
    FROM generate_series(CAST(:first AS int), CAST(:last AS int)) AS n
"""
EVENTS = [None, "charge.success", "charge.dispute.create", "transfer.success", "refund.failed", "unknown.type"]
PERIODS: list[tuple[datetime | None, datetime | None]] = [
    (None, None),
    (None, START + timedelta(hours=1)),
    (START + timedelta(days=30), START + timedelta(days=30, hours=1)),
    (START + timedelta(days=10), START + timedelta(days=50)),
]


@pytest.fixture(scope="module")
async def large_tables(started_payments: RunningApp) -> AsyncIterator[AsyncSession]:
    """A session of the owner, because of ANALYZE, in a transaction with many refunds and webhook events."""
    await empty_payments_database()  # later, the rows of an earlier test could not be deleted beside this transaction
    async with owner_sessions("payments")() as session:
        await session.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        for first in range(1, ROWS, BATCH):
            values = {"rows": ROWS, "first": first, "last": first + BATCH - 1}
            await session.execute(text(REFUNDS), values)
            await session.execute(text(WEBHOOK_EVENTS), values | {"start": START})
        for table in ("payments", "refunds", "webhook_events"):
            await session.execute(text(f"ANALYZE {table}"))
        yield session
        await session.rollback()


async def check_cost(session: AsyncSession, what: object, read: Coroutine[None, None, object]) -> None:
    with recorded(session) as statements:
        await read
    for statement, parameters in statements:
        rows, pages = await explain(session, statement, parameters)
        assert (rows <= FEW_ROWS, pages <= FEW_PAGES) == (True, True), (what, rows, pages, statement)


async def test_list_of_many_refunds_reads_few_rows_and_shows_what_a_simple_query_finds(
    large_tables: AsyncSession,
) -> None:
    middle = int((await large_tables.execute(select(func.max(Refund.number)))).scalar_one()) - ROWS // 2
    statuses: list[tuple[RefundStatus, ...]] = [(), *((status,) for status in RefundStatus), tuple(RefundStatus)]
    statuses += [(RefundStatus.FAILED, RefundStatus.NEEDS_ATTENTION), (RefundStatus.FAILED, RefundStatus.PROCESSED)]
    for selected, before in itertools.product(statuses, (None, middle)):
        await check_cost(large_tables, (selected, before), list_all_refunds(large_tables, selected, LIMIT, before))
        simple = select(Refund.number).order_by(Refund.number.desc()).limit(LIMIT)
        simple = simple.where(Refund.status.in_(selected)) if selected else simple
        simple = simple if before is None else simple.where(Refund.number < before)
        found = await list_all_refunds(large_tables, selected, LIMIT, before)
        assert [row.Refund.number for row in found] == [*(await large_tables.execute(simple)).scalars()]


@pytest.mark.parametrize("period", PERIODS)
async def test_list_of_many_webhook_events_reads_few_rows(
    large_tables: AsyncSession, period: tuple[datetime | None, datetime | None]
) -> None:
    middle = int((await large_tables.execute(select(func.max(WebhookEvent.id)))).scalar_one()) - ROWS // 2
    combinations = itertools.product([None, *EntryStatus], EVENTS, [None, "many-9", "unknown"], (None, middle))
    for status, event, reference, before in combinations:
        selected = Filter(status=status, event=event, reference=reference, since=period[0], until=period[1])
        await check_cost(large_tables, (selected, before), list_page(large_tables, selected, LIMIT, before))
