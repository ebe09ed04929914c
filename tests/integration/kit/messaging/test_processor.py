"""Processing of inbox entries: each takes effect once, is retried until then, and fails after the last attempt."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from sqlalchemy import text, update
from sqlalchemy.ext.asyncio import AsyncSession

from kit.messaging import processor
from kit.messaging.inbox import BATCH, Entry
from kit.messaging.notifier import Notifier
from kit.messaging.processor import ATTEMPTS, BatchResult, Processor
from kit.observability.tracing import new_traceparent
from tests.fixtures.kit_inbox import effects, entries, handle, make_due, message, process, store
from tests.fixtures.kit_messaging import Sessions
from tests.fixtures.kit_tables import Inbox
from tests.fixtures.loops import living, until


async def test_processing_commits_effects_and_status_together(sessions: Sessions) -> None:
    await store(sessions, message(1), message(2))
    assert await process(sessions) == 2
    assert await process(sessions) == 0
    assert await effects(sessions) == ["1", "2"]
    assert [(entry.status, entry.attempts, entry.error) for entry in await entries(sessions)] == [
        ("processed", 1, None)
    ] * 2
    assert all(entry.processed_at for entry in await entries(sessions))


@pytest.mark.parametrize("bad", [b"raise", b"constraint", b"syntax"])
async def test_a_failing_entry_does_not_delay_the_others(sessions: Sessions, bad: bytes) -> None:
    await store(sessions, *(message(n, bad if n == 3 else b"{}") for n in range(6)))
    await process(sessions)
    assert await effects(sessions) == ["0", "1", "2", "4", "5"]
    waiting = [entry for entry in await entries(sessions) if entry.status != "processed"]
    assert [(entry.key, entry.status, entry.attempts) for entry in waiting] == [("3", "pending", 1)]
    assert waiting[0].error
    assert waiting[0].next_attempt_at > datetime.now(UTC)


async def test_an_unreadable_entry_fails_without_retries(sessions: Sessions) -> None:
    await store(sessions, message(1), message(2, b"failed"))
    await process(sessions)
    assert [(entry.status, entry.error) for entry in await entries(sessions)] == [
        ("processed", None),
        ("failed", "cannot be read"),
    ]


async def test_retries_back_off_until_the_entry_fails(sessions: Sessions) -> None:
    await store(sessions, message(1, b"raise"))
    pauses = []
    for attempt in range(1, ATTEMPTS + 1):
        await make_due(sessions)
        before = datetime.now(UTC)
        assert await process(sessions) == 1
        (entry,) = await entries(sessions)
        assert entry.attempts == attempt
        assert entry.status == ("failed" if attempt == ATTEMPTS else "pending")
        assert entry.error == "RuntimeError: not today ?"
        pauses.append((entry.next_attempt_at - before).total_seconds())
    assert 1 < pauses[0] < 4
    assert pauses[5] > pauses[0]
    assert pauses[-1] <= processor.BACKOFF.longest + 5
    await make_due(sessions)
    assert await process(sessions) == 0
    assert await effects(sessions) == []


async def test_a_reprocessed_entry_takes_effect(sessions: Sessions) -> None:
    await store(sessions, message(1, b"raise"))
    await process(sessions)
    async with sessions.begin() as session:
        await session.execute(update(Inbox).values(body=b"{}", status="pending", next_attempt_at=text("now()")))
    await process(sessions)
    assert [(entry.status, entry.attempts, entry.error) for entry in await entries(sessions)] == [
        ("processed", 2, None)
    ]


async def test_an_unavailable_database_uses_no_attempt(sessions: Sessions) -> None:
    await store(sessions, message(1), message(2, b"away"))
    with pytest.raises(ConnectionRefusedError):
        await process(sessions)
    assert [(entry.status, entry.attempts) for entry in await entries(sessions)] == [("pending", 0)] * 2
    assert await effects(sessions) == []


async def test_several_workers_process_each_entry_once(sessions: Sessions) -> None:
    await store(sessions, *(message(n) for n in range(300)))
    counts = await asyncio.gather(*(process(sessions) for _ in range(4)))
    assert sum(counts) == 300
    assert sorted(await effects(sessions)) == sorted(str(n) for n in range(300))


async def test_the_processor_processes_stored_and_new_entries(
    sessions: Sessions, notifier: Notifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processor, "POLL_SECONDS", 60)  # it must be woken
    await store(sessions, *(message(n) for n in range(2 * BATCH + 50)))
    relay_wakeup = notifier.subscribe("outbox")
    retrier = Processor(sessions, Inbox, handle, notifier, topic="inbox")

    async def all_done() -> bool:
        return all(entry.status == "processed" for entry in await entries(sessions))

    async with living(retrier.run):
        await until(all_done)
        assert relay_wakeup.is_set()
        await store(sessions, message("late"))
        notifier.wake_local("inbox")
        await until(all_done)
    assert len(await effects(sessions)) == 2 * BATCH + 51


async def test_log_lines_about_a_failed_entry_carry_the_trace_of_its_message(
    sessions: Sessions, json_logs: pytest.CaptureFixture[str]
) -> None:
    traces = [new_traceparent() for _ in range(3)]
    bodies = (b"{}", b"failed", b"raise")
    await store(sessions, *(message(body, body, trace) for body, trace in zip(bodies, traces, strict=True)))
    await process(sessions)
    lines = [json.loads(line) for line in json_logs.readouterr().out.splitlines()]
    assert {line["event"]: line["trace_id"] for line in lines} == {
        "inbox entry failed": traces[1][3:35],
        "inbox entry postponed": traces[2][3:35],
    }


async def test_the_processor_notifies_the_topics_that_its_handler_names(sessions: Sessions, notifier: Notifier) -> None:
    async def handle_and_wake(session: AsyncSession, entries: Sequence[Entry]) -> BatchResult:
        result = await handle(session, entries)
        return BatchResult(result.failed, topics=frozenset({"refunds"}))

    refunds, disputes = notifier.subscribe("refunds"), notifier.subscribe("disputes")
    await store(sessions, message(1), message(2, b"raise"))
    async with living(Processor(sessions, Inbox, handle_and_wake, notifier, topic="inbox").run), asyncio.timeout(10):
        await refunds.wait()
    assert await effects(sessions) == ["1"]
    assert not disputes.is_set()
    await notifier.flush()
