"""A batch is never larger than its limit, however Postgres plans it.

UPDATE … WHERE id IN (SELECT … LIMIT n FOR UPDATE SKIP LOCKED) may run the inner query once for each row of the outer one: what it has
updated already is skipped then, and the next rows are taken, until none is left. Seen on a busy machine, with statistics of an empty table.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from kit.db.engine import create_engine, create_sessionmaker
from kit.messaging.inbox import EntryStatus
from services.payments.settings import settings
from services.payments.settlement import sweeper
from services.payments.settlement.sweeper import Sweeper
from services.payments.webhooks import queries
from services.payments.webhooks.queries import Filter
from tests.payments.conftest import clients, payment

MANY = 30
CLUMSY = ("hashjoin", "mergejoin", "hashagg", "sort", "material", "indexscan", "indexonlyscan", "bitmapscan")


@pytest.fixture
async def clumsy() -> AsyncIterator[async_sessionmaker[AsyncSession]]:
    """A database that knows nothing but nested loops."""
    engine = create_engine(settings.payments_database_url, name="clumsy")

    @event.listens_for(engine.sync_engine, "begin")
    def plan_badly(connection: object) -> None:
        for way in CLUMSY:
            connection.exec_driver_sql(f"SET LOCAL enable_{way} = off")  # type: ignore[attr-defined]

    yield create_sessionmaker(engine)
    await engine.dispose()


async def test_notices_are_replayed_in_batches(
    clumsy: async_sessionmaker[AsyncSession], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "REPLAY_BATCH", 10)
    async with clumsy.begin() as session:
        many = "INSERT INTO webhook_events (key, body, status) SELECT 'many-' || n, '{}', 'processed' FROM generate_series(1, :many) AS n"
        await session.execute(text(many), {"many": MANY})
    counts, after = [], 0
    while True:
        count, last = await queries.reprocess(clumsy, Filter(status=EntryStatus.PROCESSED), after, 10)
        counts.append(count)
        if last is None:
            break
        after = last
    assert counts[:3] == [10, 10, 10]


async def test_the_sweep_takes_a_batch(
    clumsy: async_sessionmaker[AsyncSession], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeper, "BATCH", 10)
    for _ in range(MANY):
        await payment(verify_next_attempt_at=datetime.now(UTC) - timedelta(seconds=1))
    assert len(await Sweeper(clumsy, clients().paystack)._take_due()) == 10
