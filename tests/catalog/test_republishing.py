"""Which payments could not be delivered for, told again: the same facts under the same ids."""

import asyncio
import json
import os
import sys
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import delete, select

from services.catalog import undeliverable
from services.catalog.db import sessions
from services.catalog.models import OutboxRow
from tests.catalog.shop import Headers, handle, placed, product, succeeded, told

HOUR = timedelta(hours=1)


async def told_again(since: timedelta = HOUR, until: timedelta = -HOUR) -> list[int]:
    now = datetime.now(UTC)
    return [count async for count in undeliverable.republish(now - since, now - until)]


async def ids() -> set[str]:
    async with sessions() as session:
        return {str(found) for found in (await session.execute(select(OutboxRow.event_id))).scalars()}


async def sent() -> None:
    async with sessions.begin() as session:
        await session.execute(delete(OutboxRow))


@pytest.fixture
async def twice_paid(client: httpx.AsyncClient, buyer: Headers) -> list[tuple[str, str]]:
    """Five payments that could not be delivered for: what was told of them, and has left."""
    mine = await placed(client, buyer, {await product(5): 1})
    await handle(succeeded(mine, "first"))
    for number in range(5):
        await handle(succeeded(mine, f"more-{number}"))
    return await told()


async def test_it_is_what_was_told_in_the_first_place(
    twice_paid: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(undeliverable, "BATCH", 2)
    before = await ids()
    assert await told_again() == [2, 2, 1]
    assert await ids() == before  # they waited there still
    await sent()
    assert await told_again() == [2, 2, 1]
    assert await ids() == before
    assert sorted(await told()) == sorted(twice_paid)


@pytest.mark.usefixtures("twice_paid")
async def test_only_of_the_time_that_is_asked_for() -> None:
    assert await told_again(since=-HOUR, until=-2 * HOUR) == []
    assert await told_again(since=2 * HOUR, until=HOUR) == []


@pytest.mark.usefixtures("twice_paid")
async def test_the_command() -> None:
    await sent()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.catalog", "republish", "--from", "1h", "--json"),
        stdout=asyncio.subprocess.PIPE,
        env=dict(os.environ),
    )
    async with asyncio.timeout(60):
        out, _ = await process.communicate()
    assert json.loads(out) == {"events": 5}
    assert len(await told()) == 5
