"""Audit entries are written in the transaction of the act, and are found by actor, act, subject and time."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from kit.audit.actor import Actor, command_actor
from kit.audit.entries import AuditFilter, list_entries, record
from tests.fixtures.kit_messaging import Sessions
from tests.fixtures.kit_tables import Audit

ADA = Actor(id="ada", address="203.0.113.7", request_id="request-1")


async def found(sessions: Sessions, selected: AuditFilter, limit: int = 10, before: int | None = None) -> list[str]:
    async with sessions() as session:
        return [entry.act for entry in await list_entries(session, Audit, selected, limit, before)]


async def test_entry_when_its_act_is_rolled_back_is_not_written(sessions: Sessions) -> None:
    async with sessions() as session:
        await record(session, Audit, ADA, "task.done", 1)
        await session.rollback()
    assert await found(sessions, AuditFilter()) == []


async def test_values_when_they_are_not_given_are_null(sessions: Sessions) -> None:
    async with sessions.begin() as session:
        await record(session, Audit, command_actor(), "task.done", 1)
    async with sessions() as session:
        query = text("SELECT count(*) FROM audit_log WHERE num_nulls(before, after, reason, request_id) = 4")
        assert (await session.execute(query)).scalar_one() == 1
        (entry,) = await list_entries(session, Audit, AuditFilter(), 1)
    assert entry.actor.startswith("operator:")
    assert entry.address


async def test_list_when_filtered_contains_only_what_matches(sessions: Sessions) -> None:
    async with sessions.begin() as session:
        await record(session, Audit, ADA, "first", "x", before={"n": 1}, after={"n": 2}, reason="because")
        await record(session, Audit, ADA, "second", "y")
        await record(session, Audit, Actor(id="bob"), "third", "x")
    assert await found(sessions, AuditFilter()) == ["third", "second", "first"]
    assert await found(sessions, AuditFilter(actor="ada")) == ["second", "first"]
    assert await found(sessions, AuditFilter(subject="x")) == ["third", "first"]
    assert await found(sessions, AuditFilter(act="second")) == ["second"]
    now, hour = datetime.now(UTC), timedelta(hours=1)
    assert len(await found(sessions, AuditFilter(since=now - hour, until=now + hour))) == 3
    assert await found(sessions, AuditFilter(since=now + hour)) == []
    assert await found(sessions, AuditFilter(until=now - hour)) == []
