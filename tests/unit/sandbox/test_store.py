import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sandbox.enums import Domain
from sandbox.schema import VERSION, WrongSchemaVersion
from sandbox.store import Store
from sandbox.transactions import queries
from sandbox.transactions.models import NewTransaction, Transaction
from sandbox.webhooks import queue

WEBHOOK = queue.OutgoingWebhook("x", None, None, b"{}", None)
NEW = NewTransaction("ada@example.com", 100, "NGN", None, None, None, None)


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    opened = Store(":memory:")
    await opened.open()
    yield opened
    await opened.close()


def add(connection: sqlite3.Connection) -> Transaction:
    return queries.add(connection, NEW, Domain.TEST)


async def test_job_that_fails_affects_no_other(store: Store) -> None:
    def fail(connection: sqlite3.Connection) -> None:
        add(connection)
        raise LookupError

    def succeed(connection: sqlite3.Connection) -> None:
        add(connection)

    jobs = [store.run(job) for _ in range(20) for job in (fail, succeed)]
    outcomes = await asyncio.gather(*jobs, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [LookupError, type(None)] * 20
    assert len(await store.run(lambda connection: queries.list_latest(connection, 100))) == 20


async def test_transactions_beyond_the_limit_are_deleted(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "ROWS_KEPT", 10)
    await store.run(lambda connection: [add(connection) for _ in range(2_000)])
    kept = await store.run(lambda connection: queries.list_latest(connection, 3_000))
    assert 10 <= len(kept) < 1_010


async def test_webhooks_beyond_the_limit_are_deleted_pending_ones_last(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "ROWS_KEPT", 500)

    def fill(connection: sqlite3.Connection) -> None:
        for number in range(3):
            queue.enqueue(connection, WEBHOOK, deliveries=1_000)
            if number == 0:
                connection.execute("UPDATE webhooks SET state = 'delivered'")

    await store.run(fill)
    assert await store.run(queue.count_by_state) == {"pending": 2_000, "delivered": 0, "given_up": 0, "lost": 0}
    await store.run(lambda connection: queue.enqueue(connection, WEBHOOK, deliveries=1_000))
    assert (await store.run(queue.count_by_state))["pending"] == 2_000


async def test_job_after_close_raises_runtime_error(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "s.db"))
    await store.open()
    await store.close()
    with pytest.raises(RuntimeError, match="closed"):
        await store.run(queue.count_by_state)


async def test_open_at_an_impossible_path_raises_os_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        await Store(str(tmp_path / "file" / "s.db")).open()


async def test_database_opened_again_has_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    for opening in range(3):
        store = Store(str(path))
        await store.open()
        if opening == 0:
            await store.run(
                lambda connection: connection.execute(
                    "INSERT INTO transactions (reference, access_code, domain, status, email, customer, amount,"
                    " requested_amount, currency, gateway_response, created_at, paid_at)"
                    " VALUES ('old', 'code', 'test', 'success', 'a@b.co', 1, 100, 100, 'NGN', 'Successful', 1, 2)"
                )
            )
            await store.run(lambda connection: queue.enqueue(connection, WEBHOOK))
        found = await store.run(lambda connection: queries.find(connection, "old"))
        assert found is not None
        assert (found.paid, found.channel, found.timeline) == (True, "card", None)
        assert (await store.run(queue.count_by_state))["pending"] == 1
        await store.close()


@pytest.mark.parametrize("version", [VERSION - 1, VERSION + 1])
async def test_database_of_another_version_is_refused_and_left_unchanged(tmp_path: Path, version: int) -> None:
    path = tmp_path / "s.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE transactions (id INTEGER PRIMARY KEY)")
    other.execute(f"PRAGMA user_version = {version}")
    other.close()
    with pytest.raises(WrongSchemaVersion, match="Delete the file"):
        await Store(str(path)).open()
    other = sqlite3.connect(path)
    assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("transactions",)]
    other.close()
