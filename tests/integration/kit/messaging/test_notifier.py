"""The Notifier: wakes jobs of this process and of others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest
from pydantic import SecretStr
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from dev.servers.postgres import Postgres
from kit.db.engine import create_engine
from kit.messaging.notifier import Notifier
from kit.worker.runner import job_failures
from kit.worker.shutdown import Shutdown
from tests.fixtures.loops import living, until
from tests.fixtures.proxy import Proxy


@asynccontextmanager
async def listening(postgres: Postgres, channel: str = "kit") -> AsyncIterator[list[str]]:
    """Collect the notifications of the channel."""
    received: list[str] = []
    connection = await asyncpg.connect(postgres.owner_url("kit"), timeout=5)
    try:
        await connection.add_listener(channel, lambda *args: received.append(str(args[-1])))
        yield received
    finally:
        await connection.close()


async def wait_and_clear(wakeup: asyncio.Event) -> None:
    async with asyncio.timeout(5):
        await wakeup.wait()
    wakeup.clear()


async def test_wake_reaches_the_subscribers_of_the_topic_only(notifier: Notifier) -> None:
    orders, both, refunds = (
        notifier.subscribe("orders"),
        notifier.subscribe("orders", "refunds"),
        notifier.subscribe("refunds"),
    )
    notifier.wake_local("orders")
    assert (orders.is_set(), both.is_set(), refunds.is_set()) == (True, True, False)


async def test_notify_wakes_this_process_at_once_and_others_through_the_database(
    engine: AsyncEngine, notifier: Notifier, postgres: Postgres
) -> None:
    here, unrelated = notifier.subscribe("refunds"), notifier.subscribe("disputes")
    other = Notifier(engine, "kit")
    there = other.subscribe("refunds")
    url = SecretStr(postgres.owner_url("kit"))

    async def listen(shutdown: Shutdown) -> None:
        await other.listen(shutdown, url)

    async with living(listen):
        await wait_and_clear(there)  # set once when it begins to listen
        notifier.notify("refunds")
        assert here.is_set()
        await wait_and_clear(there)
        assert not unrelated.is_set()
    await notifier.flush()


async def test_channels_are_independent(engine: AsyncEngine, notifier: Notifier, postgres: Postgres) -> None:
    async with listening(postgres, "another") as received, listening(postgres) as own:
        notifier.notify("refunds")
        await notifier.flush()

        async def arrived() -> bool:
            return own == ["refunds"]

        await until(arrived)
    assert received == []


async def test_many_notifications_are_sent_as_few(notifier: Notifier, postgres: Postgres) -> None:
    async with listening(postgres) as received:
        for _ in range(1000):
            notifier.notify("refunds", "disputes")
        await notifier.flush()

        async def arrived() -> bool:
            return {"refunds", "disputes"} <= set(received)

        await until(arrived)
    assert len(received) <= 4


async def test_a_notification_while_the_connection_returns_to_the_pool_is_sent(
    engine: AsyncEngine, notifier: Notifier, postgres: Postgres
) -> None:
    late = [notifier]

    def notify_again(*_: object) -> None:
        if late:
            late.pop().notify("refunds")

    async with listening(postgres) as received:
        event.listen(engine.sync_engine, "checkin", notify_again)
        try:
            notifier.notify("refunds")
            async with asyncio.timeout(5):
                await notifier.flush()
        finally:
            event.remove(engine.sync_engine, "checkin", notify_again)

        async def twice() -> bool:
            return received == ["refunds", "refunds"]

        await until(twice)


async def test_notify_does_not_fail_when_the_database_is_unavailable(postgres: Postgres) -> None:
    async with Proxy(postgres.owner_url("kit")) as proxy:
        engine = create_engine(SecretStr(proxy.url), name="kit")
        try:
            notifier = Notifier(engine, "kit")
            proxy.refuse()
            wakeup = notifier.subscribe("refunds")
            notifier.notify("refunds")
            await notifier.flush()
            assert wakeup.is_set()
            proxy.flow()
            async with listening(postgres) as received:
                notifier.notify("refunds")
                await notifier.flush()

                async def arrived() -> bool:
                    return received == ["refunds"]

                await until(arrived)
        finally:
            await engine.dispose()


@pytest.mark.parametrize("cuts", [1, 2])
async def test_a_listener_wakes_all_jobs_after_its_connection_was_lost(
    notifier: Notifier, postgres: Postgres, cuts: int
) -> None:
    async with Proxy(postgres.owner_url("kit")) as proxy:
        url = SecretStr(proxy.url)
        wakeup = notifier.subscribe("refunds")

        async def listen(shutdown: Shutdown) -> None:
            await notifier.listen(shutdown, url)

        failures = job_failures.labels("0")._value.get()
        async with living(listen):
            await wait_and_clear(wakeup)
            for _ in range(cuts):
                proxy.cut()
                await wait_and_clear(wakeup)
        assert job_failures.labels("0")._value.get() >= failures + cuts
