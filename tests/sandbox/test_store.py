import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from sandbox.schema import FIRST
from sandbox.store import Store
from sandbox.transactions import ledger
from sandbox.transactions.ledger import Opening
from sandbox.webhooks import queue

LETTER = queue.Letter("x", None, None, b"{}", None)
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
    monkeypatch.setattr(queue, "KEPT", 500)

    def fill(connection: sqlite3.Connection) -> None:
        for number in range(3):
            queue.enqueue(connection, LETTER, deliveries=1_000)
            if number == 0:
                connection.execute("UPDATE webhooks SET state = 'delivered'")

    await store.run(fill)
    assert await store.run(queue.counts) == {"pending": 2_000, "delivered": 0, "given_up": 0, "lost": 0}
    await store.run(lambda connection: queue.enqueue(connection, LETTER, deliveries=1_000))
    assert (await store.run(queue.counts))["pending"] == 2_000


async def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "s.db"))
    await store.open()
    await store.close()
    with pytest.raises(RuntimeError, match="closed"):
        await store.run(queue.counts)


async def test_a_database_that_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        await Store(str(tmp_path / "file" / "s.db")).open()


async def test_a_database_of_an_earlier_sandbox_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    with closing(sqlite3.connect(path)) as earlier:
        earlier.executescript(FIRST)
        earlier.execute(
            "INSERT INTO transactions (reference, access_code, domain, status, email, customer, amount, requested_amount,"
            " currency, gateway_response, created_at, paid_at)"
            " VALUES ('old', 'code', 'test', 'success', 'a@b.co', 1, 100, 100, 'NGN', 'Successful', 1, 2)"
        )
        earlier.execute(
            "INSERT INTO webhooks (event, body, created_at, next_at) VALUES ('charge.success', X'7b7d', 1, 1)"
        )
        earlier.commit()
    for _ in range(2):  # the second time there is nothing to do
        store = Store(str(path))
        await store.open()
        found = await store.run(lambda connection: ledger.find(connection, "old"))
        assert found is not None
        assert (found.paid, found.channel, found.log) == (True, "card", None)
        assert (await store.run(queue.counts))["pending"] == 1
        await store.close()
