"""What has served its time goes, a thousand a transaction, without a pause while there is more; what waits for a person stays."""

from datetime import timedelta

from sqlalchemy import func, select, text

from kit.messaging.inbox import RETENTION
from kit.worker.runner import job_failures
from services.payments.db import sessions
from services.payments.models import IdempotencyKey, Inbox
from services.payments.pruning import BATCH, prune
from services.payments.webhooks.models import WebhookEvent
from tests.loops import living, until

OLD = RETENTION + timedelta(days=1)


async def fill(table: str, status: str, age: timedelta, count: int) -> None:
    query = (
        f"INSERT INTO {table} (key, body, status, received_at)"
        f" SELECT '{status}-{age.days}-' || n, 'x', '{status}', now() - interval '{age.days} days'"
        f" FROM generate_series(1, {count}) n"
    )
    async with sessions.begin() as session:
        await session.execute(text(query))


async def left(table: type[WebhookEvent] | type[Inbox]) -> dict[tuple[str, bool], int]:
    """How many there are of each status, young and old."""
    old = table.received_at < func.now() - RETENTION
    async with sessions() as session:
        rows = await session.execute(select(table.status, old, func.count()).group_by(table.status, old))
        return {(status, is_old): count for status, is_old, count in rows}


async def test_two_workers_keep_up_and_lose_nothing_that_waits() -> None:
    failures = [job_failures.labels(name)._value.get() for name in "01"]
    for table in ("notices", "inbox"):
        await fill(table, "failed", OLD, 30)
        await fill(table, "pending", OLD, 20)
        await fill(table, "processed", OLD, 5 * BATCH + 1)
        await fill(table, "processed", timedelta(), 50)
    async with sessions.begin() as session:
        await session.execute(
            text(
                "INSERT INTO idempotency_keys (caller, operation, key, fingerprint, created_at)"
                " SELECT 'me', 'op', n::text, 'f', now() - make_interval(days => n % 2 * 2)"
                " FROM generate_series(1, 3000) n"
            )
        )
    kept = {("failed", True): 30, ("pending", True): 20, ("processed", False): 50}

    async def gone() -> bool:
        return await left(WebhookEvent) == kept == await left(Inbox)

    async with living(prune, prune):
        await until(gone)
    async with sessions() as session:
        assert (await session.execute(select(func.count()).select_from(IdempotencyKey))).scalar_one() == 1500
    assert [job_failures.labels(name)._value.get() for name in "01"] == failures
