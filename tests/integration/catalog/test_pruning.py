"""Deletion of old idempotency keys and processed inbox entries."""

from sqlalchemy import text

from kit.idempotency import keys
from kit.messaging import inbox
from services.catalog.db import sessions
from services.catalog.models import IdempotencyKey, InboxRow


async def count(table: str) -> int:
    async with sessions() as session:
        return int((await session.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one())


async def test_prune_when_rows_are_old_then_keys_and_processed_entries_are_deleted() -> None:
    async with sessions.begin() as session:
        await session.execute(
            text(
                """INSERT INTO idempotency_keys (caller, operation, key, fingerprint, created_at)
                SELECT 'c', 'o', n, 'f', now() - n * interval '1 hour' FROM generate_series(1, 48) AS n"""
            )
        )
        await session.execute(
            text(
                """INSERT INTO inbox (key, body, status, received_at)
                SELECT n, '', (ARRAY['processed', 'failed'])[1 + n % 2], now() - n * interval '1 day'
                FROM generate_series(1, 60) AS n"""
            )
        )
    async with sessions.begin() as session:
        assert await keys.prune(session, IdempotencyKey, 10) == 10
        assert await keys.prune(session, IdempotencyKey, 1000) == 15
        assert await inbox.prune(session, InboxRow) == 16
    assert (await count("idempotency_keys"), await count("inbox")) == (23, 44)
