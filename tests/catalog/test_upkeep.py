"""What the worker looks after: old records go, late ones are told of."""

from sqlalchemy import text

from kit.idempotency import keys
from kit.messaging import inbox
from services.catalog import backlog
from services.catalog.db import sessions
from services.catalog.models import IdempotencyKey, InboxRow


async def run(statement: str) -> None:
    async with sessions.begin() as session:
        await session.execute(text(statement))


async def count(table: str) -> int:
    async with sessions() as session:
        return int((await session.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one())


async def test_old_keys_and_done_entries_go(prepared: None) -> None:
    await run(
        """INSERT INTO idempotency_keys (caller, operation, key, fingerprint, created_at)
        SELECT 'c', 'o', n, 'f', now() - n * interval '1 hour' FROM generate_series(1, 48) AS n"""
    )
    await run(
        """INSERT INTO inbox (key, body, status, received_at)
        SELECT n, '', (ARRAY['processed', 'failed'])[1 + n % 2], now() - n * interval '1 day' FROM generate_series(1, 60) AS n"""
    )
    async with sessions.begin() as session:
        assert await keys.prune(session, IdempotencyKey, 10) == 10
        assert await keys.prune(session, IdempotencyKey, 1000) == 15
        assert await inbox.prune(session, InboxRow) == 16
    assert (await count("idempotency_keys"), await count("inbox")) == (23, 44)


async def test_late_work_is_a_reason_not_to_be_ready(prepared: None) -> None:
    await run("INSERT INTO inbox (key, body, status) VALUES ('a', '', 'pending'), ('b', '', 'failed')")
    await run("INSERT INTO outbox (event_id, type, body) VALUES (gen_random_uuid(), 'order.undeliverable', '')")
    assert await backlog.check() is None
    await run("UPDATE inbox SET next_attempt_at = now() - interval '2 minutes'")
    await run("UPDATE outbox SET created_at = now() - interval '2 minutes'")
    found = await backlog.check()
    assert found is not None
    assert "1 events are overdue" in found
    assert "1 events wait for the broker" in found
