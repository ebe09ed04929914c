"""A database that is away: never a 200 that is not stored, an answer within three seconds, and nothing to be done afterwards."""

import asyncio
import gc
import time
from collections.abc import AsyncIterator

import httpx
import pytest
from pydantic import SecretStr

from dev.process import ports
from dev.servers.postgres import Postgres
from kit.db.engine import create_engine
from services.payments.webhooks import intake
from services.payments.webhooks.intake import Intake
from tests.conftest import PAYSTACK_SECRET_KEY
from tests.payments.conftest import charge, notifier, running_app, send, stored
from tests.proxy import Proxy

# A connect that was cancelled half-way leaves its connection to the finaliser, which closes it and says so.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed connection <asyncpg:ResourceWarning")


@pytest.fixture
async def proxy(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Proxy]:
    """The way of the webhooks to the database."""
    async with Proxy(postgres.url("payments")) as found:
        engine = create_engine(SecretStr(found.url), name="payments")
        monkeypatch.setitem(running_app().state, "intake", Intake(engine, notifier(), [PAYSTACK_SECRET_KEY.encode()]))
        yield found
        found.refuse()
        await engine.dispose()
        gc.collect()  # here, and not in the middle of another test


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "ANSWER_SECONDS", 0.6)


async def timed(client: httpx.AsyncClient, number: int) -> tuple[int, float]:
    began = time.monotonic()
    answer = await send(client, charge(f"pay-{number}"))
    return answer.status_code, time.monotonic() - began


async def until_stored(client: httpx.AsyncClient, number: int) -> None:
    """As Paystack does: again, until it is 200."""
    async with asyncio.timeout(10):
        while (await timed(client, number))[0] != 200:
            pass


async def test_nobody_listens(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    (port,) = ports.free(1)
    engine = create_engine(SecretStr(f"postgresql://payments:no-such-password@127.0.0.1:{port}/payments"), name="x")
    monkeypatch.setitem(running_app().state, "intake", Intake(engine, notifier(), [PAYSTACK_SECRET_KEY.encode()]))
    answer = await send(client, charge("pay-1"))
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_database_that_says_nothing(client: httpx.AsyncClient, proxy: Proxy) -> None:
    assert (await timed(client, 0))[0] == 200
    proxy.stall()
    answers = await asyncio.gather(*(timed(client, n) for n in range(1, 150)))
    assert {status for status, _ in answers} == {503}
    assert max(seconds for _, seconds in answers) < 3
    proxy.flow()
    await asyncio.gather(*(until_stored(client, n) for n in range(1, 150)))
    assert len(await stored()) == 150


async def test_a_database_that_hangs_up(client: httpx.AsyncClient, proxy: Proxy) -> None:
    assert (await timed(client, 0))[0] == 200
    proxy.refuse()
    status, seconds = await timed(client, 1)
    assert status == 503
    assert seconds < 3
    proxy.flow()
    await until_stored(client, 1)
    assert len(await stored()) == 2


async def test_a_commit_whose_answer_is_lost(client: httpx.AsyncClient, proxy: Proxy, impatient: None) -> None:
    assert (await timed(client, 0))[0] == 200
    proxy.lose_answers()
    assert (await timed(client, 1))[0] == 503  # whatever happened, it is not known to be stored
    proxy.flow()
    await until_stored(client, 1)
    assert len(await stored()) == 2


async def test_connections_cut_in_the_middle_of_many(client: httpx.AsyncClient, proxy: Proxy) -> None:
    sending = asyncio.gather(*(until_stored(client, n) for n in range(200)))
    for _ in range(5):
        await timed(client, 1000)
        proxy.cut()
    await sending
    assert len({notice.key for notice in await stored() if b"pay-1000" not in notice.body}) == 200


async def test_more_than_can_wait_are_told_to_come_again(
    client: httpx.AsyncClient, proxy: Proxy, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "MAX_WAITING", 5)
    proxy.stall()
    began = time.monotonic()
    waiting = [asyncio.create_task(timed(client, n)) for n in range(20)]
    done, _ = await asyncio.wait(waiting, timeout=0.4)
    assert len(done) >= 10
    assert {task.result()[0] for task in done} == {503}
    assert {status for status, _ in await asyncio.gather(*waiting)} == {503}
    assert time.monotonic() - began < 2


async def test_large_notices_that_wait_do_not_fill_the_memory(
    client: httpx.AsyncClient, proxy: Proxy, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "MAX_WAITING_BYTES", 250_000)
    proxy.stall()
    bodies = [b'{"event":"x","data":"%d%s"}' % (number, b"a" * 100_000) for number in range(20)]
    waiting = [asyncio.create_task(send(client, body)) for body in bodies]
    done, _ = await asyncio.wait(waiting, timeout=0.4)
    assert len(done) >= 10
    assert {answer.status_code for answer in await asyncio.gather(*waiting)} == {503}
    proxy.flow()
    await until_stored(client, 1)
    assert (await send(client, bodies[0])).status_code == 200
