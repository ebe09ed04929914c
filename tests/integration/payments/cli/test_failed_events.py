"""`failed-events`: operators look at events from other services that failed, and close those that must not be processed."""

from typing import Any

from sqlalchemy import select

from kit.messaging import inbox
from kit.messaging.inbox import Message
from services.payments.db import sessions
from services.payments.metrics import Metrics
from services.payments.models import AuditLogEntry, Inbox
from tests.fixtures.metrics import metric
from tests.fixtures.payments_cli import OPERATOR, CommandLine

FAILED_EVENTS = "failed-events"
BODY = b"""{"type": "order.undeliverable", "data": {"reference": "pay-1\\u001b[2J", "order_id": "o-1", "amount": 123450,
    "currency": "NGN"}}"""
ERROR = "payment pay-1 is pending: no payment.succeeded was published for it"


async def create_entries(*statuses: str) -> list[int]:
    """Create inbox entries with these statuses. Return their ids."""
    rows = [
        Inbox(key=f"event-{number}", body=BODY, status=status, error=ERROR if status == "failed" else None)
        for number, status in enumerate(statuses)
    ]
    async with sessions.begin() as session:
        session.add_all(rows)
    return [row.id for row in rows]


async def statuses() -> list[str]:
    async with sessions() as session:
        return list((await session.execute(select(Inbox.status).order_by(Inbox.id))).scalars())


async def failed_entries() -> float:
    """Return the value on which the alert EventsFailed depends."""
    await Metrics(sessions).measure()
    async with sessions() as session:
        await inbox.measure(session, Inbox)
    return metric("inbox_unprocessed_entries", inbox="inbox", status="failed")


async def test_list_shows_what_failed_and_why(command: CommandLine) -> None:
    assert (await command.run(FAILED_EVENTS, "list")).out == "There are no failed events.\n"
    failed, _, other = await create_entries("failed", "processed", "failed")
    shown = (await command.run(FAILED_EVENTS, "list", "--json")).json
    assert [event["id"] for event in shown] == [failed, other]
    expected: dict[str, Any] = {
        "event_id": "event-0",
        "type": "order.undeliverable",
        "reference": "pay-1\N{REPLACEMENT CHARACTER}[2J",
        "amount": 123_450,
        "error": ERROR,
    }
    assert expected.items() <= shown[0].items()
    text = (await command.run(FAILED_EVENTS, "list", "--limit", "1")).out
    assert "NGN 1,234.50" in text
    assert f"error: {ERROR}" in text
    assert text.replace("\n", "").isprintable()


async def test_close_ends_failed_events_with_a_reason_and_an_audit_entry(command: CommandLine) -> None:
    failed, pending, other = await create_entries("failed", "pending", "failed")
    assert await failed_entries() == 2
    assert (await command.run(FAILED_EVENTS, "close", str(failed))).code == 2  # a reason is needed
    refused = await command.run(FAILED_EVENTS, "close", str(failed), str(pending), str(2**62), "--reason", "x")
    assert (refused.code, refused.err) == (1, f"Error: there is no failed event with the id {pending}, {2**62}\n")
    assert await statuses() == ["failed", "pending", "failed"]
    closed = await command.run(
        FAILED_EVENTS, "close", str(failed), str(other), "--reason", "forged; the key was changed"
    )
    assert (closed.code, closed.err) == (0, "2 events closed.\n")
    assert await statuses() == ["processed", "pending", "processed"]
    assert await failed_entries() == 0
    async with sessions() as session:
        acts = (await session.execute(select(AuditLogEntry).order_by(AuditLogEntry.id))).scalars().all()
    assert [(act.act, act.subject, act.actor, act.reason) for act in acts] == [
        ("event.closed", key, OPERATOR, "forged; the key was changed") for key in ("event-0", "event-2")
    ]
    assert acts[0].before == {"status": "failed", "error": ERROR}
    assert acts[0].after == {"status": "processed"}


async def test_close_with_json_prints_the_number_of_events_and_who_closed_them(command: CommandLine) -> None:
    (failed,) = await create_entries("failed")
    closed = await command.run(FAILED_EVENTS, "close", str(failed), "--reason", "x", "--json")
    assert closed.json == {"count": 1, "by": OPERATOR}


async def test_closed_event_when_it_arrives_again_has_no_effect(command: CommandLine) -> None:
    (failed,) = await create_entries("failed")
    assert (await command.run(FAILED_EVENTS, "close", str(failed), "--reason", "x")).code == 0
    async with sessions.begin() as session:
        assert await inbox.store_processed(session, Inbox, [Message("event-0", BODY, {})]) == []
        assert await inbox.lock_due(session, Inbox) == []
    assert await statuses() == ["processed"]
