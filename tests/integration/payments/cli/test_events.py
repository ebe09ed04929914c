"""`republish` publishes the events of a period again; `reprocess-events` gives failed inbox entries another attempt."""

import httpx
from sqlalchemy import func, select

from services.payments.db import sessions
from services.payments.models import Inbox
from tests.factories.payments import create_payment
from tests.fakes.paystack import charge_success
from tests.fixtures.payments_cli import CommandLine, start_process
from tests.fixtures.payments_requests import deliver
from tests.fixtures.payments_rows import take_outbox_events


async def test_republish_writes_the_events_of_the_period_to_the_outbox(
    client: httpx.AsyncClient, command: CommandLine
) -> None:
    await deliver(client, *[charge_success((await create_payment()).reference) for _ in range(2)])
    await take_outbox_events()
    assert (await command.run("republish", "--from", "1h", "--json")).json == {"events": 2}
    assert len(await take_outbox_events()) == 2
    assert (await command.run("republish", "--from", "30m", "--to", "1h")).code == 2


async def test_reprocess_events_makes_failed_entries_pending(command: CommandLine) -> None:
    async with sessions.begin() as session:
        session.add_all(
            Inbox(
                key=str(n),
                body=b"",
                status=status,
                attempts=12,
                processed_at=None if status == "failed" else func.now(),
            )
            for n, status in enumerate(["failed", "processed", "failed"])
        )
    assert (await command.run("reprocess-events", "--json")).json == {"events": 2}
    async with sessions() as session:
        found = (await session.execute(select(Inbox.status, Inbox.attempts).order_by(Inbox.key))).all()
    assert [tuple(row) for row in found] == [("pending", 0), ("processed", 12), ("pending", 0)]


async def test_reprocess_events_when_the_database_is_away_says_so_in_a_sentence() -> None:
    unreachable = await start_process("reprocess-events", PAYMENTS_DATABASE_URL="postgresql://x:y@127.0.0.1:9/z")
    _, err = await unreachable.communicate()
    assert unreachable.returncode == 1
    assert b"the database cannot be used" in err
