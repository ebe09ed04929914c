"""Readiness of the worker: overdue work is reported."""

from sqlalchemy import text

from services.catalog.db import sessions
from services.catalog.readiness import check_backlog


async def run(*statements: str) -> None:
    async with sessions.begin() as session:
        for statement in statements:
            await session.execute(text(statement))


async def test_check_backlog_when_work_is_overdue_then_it_is_named() -> None:
    await run(
        "INSERT INTO inbox (key, body, status) VALUES ('a', '', 'pending'), ('b', '', 'failed')",
        "INSERT INTO outbox (event_id, type, body) VALUES (gen_random_uuid(), 'order.undeliverable', '')",
    )
    assert await check_backlog(sessions) is None
    await run(
        "UPDATE inbox SET next_attempt_at = now() - interval '2 minutes'",
        "UPDATE outbox SET created_at = now() - interval '2 minutes'",
    )
    reason = await check_backlog(sessions)
    assert reason is not None
    assert "1 events are overdue" in reason
    assert "1 events are not published yet" in reason
