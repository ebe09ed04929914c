"""Pruning deletes old rows, a thousand in a transaction, and keeps what is pending or failed."""

from datetime import timedelta

from sqlalchemy import func, select

from kit.messaging.inbox import RETENTION
from services.payments.db import sessions
from services.payments.models import IdempotencyKey, Inbox
from services.payments.pruning import BATCH, prune
from services.payments.webhooks.models import WebhookEvent
from tests.fixtures.loops import living, until
from tests.fixtures.metrics import metric
from tests.fixtures.payments_rows import execute

OLD = RETENTION + timedelta(days=1)


async def fill(table: str, status: str, age: timedelta, count: int) -> None:
    await execute(
        f"INSERT INTO {table} (key, body, status, received_at)"
        f" SELECT '{status}-{age.days}-' || n, 'x', '{status}', now() - interval '{age.days} days'"
        f" FROM generate_series(1, {count}) n"
    )


async def count_by_status_and_age(table: type[WebhookEvent] | type[Inbox]) -> dict[tuple[str, bool], int]:
    """Return the numbers of rows by status and by whether they are old."""
    old = table.received_at < func.now() - RETENTION
    async with sessions() as session:
        rows = await session.execute(select(table.status, old, func.count()).group_by(table.status, old))
        return {(status, is_old): count for status, is_old, count in rows}


def failures() -> list[float]:
    return [metric("worker_job_failures_total", background_job=name) for name in "01"]


async def test_prune_when_two_workers_run_deletes_all_old_rows_and_keeps_the_others() -> None:
    before = failures()
    for table in ("webhook_events", "inbox"):
        await fill(table, "failed", OLD, 30)
        await fill(table, "pending", OLD, 20)
        await fill(table, "processed", OLD, 5 * BATCH + 1)
        await fill(table, "processed", timedelta(), 50)
    await execute(
        "INSERT INTO idempotency_keys (caller, operation, key, fingerprint, created_at)"
        " SELECT 'me', 'op', n::text, 'f', now() - make_interval(days => n % 2 * 2)"
        " FROM generate_series(1, 3000) n"
    )
    kept = {("failed", True): 30, ("pending", True): 20, ("processed", False): 50}

    async def pruned() -> bool:
        return await count_by_status_and_age(WebhookEvent) == kept == await count_by_status_and_age(Inbox)

    async with living(prune, prune):
        await until(pruned, seconds=60)
    async with sessions() as session:
        assert (await session.execute(select(func.count()).select_from(IdempotencyKey))).scalar_one() == 1500
    assert failures() == before
