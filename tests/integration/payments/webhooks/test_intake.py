"""A database that is away: no webhook is answered 200 that is not stored, every answer comes in time, and all recovers."""

import asyncio
import gc
from collections.abc import AsyncIterator
from itertools import islice

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import create_async_engine

from dev.process import ports
from dev.servers.postgres import Postgres
from kit.database_url import async_url
from kit.db.engine import create_engine
from kit.messaging.notifier import Notifier
from services.payments.webhooks import intake
from services.payments.webhooks.intake import Intake
from tests.fakes.paystack import charge_success
from tests.fixtures.apps import RunningApp
from tests.fixtures.environment import PAYSTACK_SECRET_KEY
from tests.fixtures.payments_requests import post_webhook
from tests.fixtures.payments_rows import webhook_events
from tests.fixtures.proxy import Proxy

# A connection whose connect was cancelled is closed by its finalizer, which warns.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed connection <asyncpg:ResourceWarning")
KEYS = [PAYSTACK_SECRET_KEY.encode()]


@pytest.fixture
async def proxy(postgres: Postgres, payments: RunningApp, notifier: Notifier) -> AsyncIterator[Proxy]:
    """The way of the webhooks to the database. Its engine waits without limit, so that only the intake's own limit ends a wait."""
    async with Proxy(postgres.url("payments")) as found:
        engine = create_async_engine(async_url(SecretStr(found.url)))
        payments.state["intake"] = Intake(engine, notifier, KEYS)
        yield found
        found.refuse()
        await engine.dispose()
        gc.collect()  # here, and not in the middle of another test


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "RESPONSE_SECONDS", 0.6)


async def send(client: httpx.AsyncClient, number: int) -> int:
    """Send a webhook, and return the status of the answer. Raises TimeoutError if there is none within 20 s."""
    async with asyncio.timeout(20):
        return (await post_webhook(client, charge_success(f"pay-{number}"))).status_code


async def until_stored(client: httpx.AsyncClient, number: int) -> None:
    """Repeat the webhook until it is answered 200, as Paystack does."""
    async with asyncio.timeout(10):
        while await send(client, number) != 200:
            pass


async def test_webhook_when_postgres_refuses_the_connection_answers_503(
    client: httpx.AsyncClient, payments: RunningApp, notifier: Notifier
) -> None:
    (port,) = ports.reserve_free(1)
    url = f"postgresql://payments:no-such-password@127.0.0.1:{port}/payments"
    payments.state["intake"] = Intake(create_engine(SecretStr(url), name="x"), notifier, KEYS)
    answer = await post_webhook(client, charge_success("pay-1"))
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.headers["content-type"] == "application/problem+json"


async def test_webhooks_when_the_database_does_not_answer_are_answered_503(
    client: httpx.AsyncClient, proxy: Proxy
) -> None:
    assert await send(client, 0) == 200
    proxy.stall()
    assert set(await asyncio.gather(*(send(client, n) for n in range(1, 150)))) == {503}
    proxy.flow()
    await asyncio.gather(*(until_stored(client, n) for n in range(1, 150)))
    assert len(await webhook_events()) == 150


async def test_webhook_when_the_database_closes_the_connection_answers_503(
    client: httpx.AsyncClient, proxy: Proxy
) -> None:
    assert await send(client, 0) == 200
    proxy.refuse()
    assert await send(client, 1) == 503
    proxy.flow()
    await until_stored(client, 1)
    assert len(await webhook_events()) == 2


async def test_webhook_when_the_answer_to_its_commit_is_lost_answers_503(
    client: httpx.AsyncClient, proxy: Proxy, impatient: None
) -> None:
    assert await send(client, 0) == 200
    proxy.lose_answers()
    assert await send(client, 1) == 503  # it is not known to be stored
    proxy.flow()
    await until_stored(client, 1)
    assert len(await webhook_events()) == 2


async def test_webhooks_when_connections_are_cut_are_all_stored(client: httpx.AsyncClient, proxy: Proxy) -> None:
    sending = asyncio.gather(*(until_stored(client, n) for n in range(200)))
    for _ in range(5):
        await send(client, 1000)
        proxy.cut()
    await sending
    assert len({event.key for event in await webhook_events() if b"pay-1000" not in event.body}) == 200


async def test_webhooks_when_more_wait_than_may_answer_503_at_once(
    client: httpx.AsyncClient, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "MAX_WAITING", 5)
    proxy.stall()
    waiting = [asyncio.create_task(send(client, n)) for n in range(20)]
    assert {await first for first in islice(asyncio.as_completed(waiting), 15)} == {503}
    assert sum(not task.done() for task in waiting) == 5
    assert set(await asyncio.gather(*waiting)) == {503}


async def test_webhooks_when_large_bodies_wait_answer_503_beyond_the_memory_limit(
    client: httpx.AsyncClient, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "MAX_WAITING_BYTES", 250_000)
    proxy.stall()
    bodies = [b'{"event":"x","data":"%d%s"}' % (number, b"a" * 100_000) for number in range(20)]
    waiting = [asyncio.create_task(post_webhook(client, body)) for body in bodies]
    refused = [await first for first in islice(asyncio.as_completed(waiting), 18)]
    assert {answer.status_code for answer in refused} == {503}
    assert sum(not task.done() for task in waiting) == 2
    assert {answer.status_code for answer in await asyncio.gather(*waiting)} == {503}
    proxy.flow()
    await until_stored(client, 1)
    assert (await post_webhook(client, bodies[0])).status_code == 200
