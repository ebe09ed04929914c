import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sandbox import ledger, webhooks
from sandbox.ledger import Opening
from sandbox.store import Store

OPENING = Opening("ada@example.com", 100, "NGN", None, None, None, None)


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    opened = Store(":memory:")
    await opened.open()
    yield opened
    await opened.close()


async def test_a_job_that_fails_takes_nobody_with_it(store: Store) -> None:
    def fail(connection: sqlite3.Connection) -> None:
        ledger.add(connection, OPENING, "test")
        raise LookupError

    def succeed(connection: sqlite3.Connection) -> None:
        ledger.add(connection, OPENING, "test")

    jobs = [store.run(job) for _ in range(20) for job in (fail, succeed)]
    outcomes = await asyncio.gather(*jobs, return_exceptions=True)
    assert [type(each) for each in outcomes] == [LookupError, type(None)] * 20
    assert len(await store.run(lambda connection: ledger.latest(connection, 100))) == 20


async def test_old_transactions_are_forgotten(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "KEPT", 10)
    await store.run(lambda connection: [ledger.add(connection, OPENING, "test") for _ in range(2_000)])
    kept = await store.run(lambda connection: ledger.latest(connection, 3_000))
    assert 10 <= len(kept) < 1_010


async def test_old_webhooks_are_forgotten_those_that_wait_last(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "KEPT", 500)

    def fill(connection: sqlite3.Connection) -> None:
        for number in range(3):
            webhooks.enqueue(connection, "x", None, b"{}", None, deliveries=1_000)
            if number == 0:
                connection.execute("UPDATE webhooks SET state = 'delivered'")

    await store.run(fill)
    assert await store.run(webhooks.counts) == {"pending": 2_000, "delivered": 0, "given_up": 0, "lost": 0}
    await store.run(lambda connection: webhooks.enqueue(connection, "x", None, b"{}", None, deliveries=1_000))
    assert (await store.run(webhooks.counts))["pending"] == 2_000


async def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "s.db"))
    await store.open()
    await store.close()
    with pytest.raises(RuntimeError, match="closed"):
        await store.run(webhooks.counts)


async def test_a_database_that_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        await Store(str(tmp_path / "file" / "s.db")).open()
