"""The API and its connections: a database that freezes, connections that are ended, and more requests than connections."""

import asyncio
import gc
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import uuid4

import asyncpg
import httpx
import pytest
from pydantic import SecretStr

from dev.servers.postgres import Postgres
from kit.db.engine import create_engine
from kit.db.reading import create_reading_engine
from kit.messaging.notifier import Notifier
from services.payments.db import engine as own
from services.payments.db import reading_engine as own_reading
from services.payments.db import reading_sessions, sessions
from services.payments.settings import settings
from services.payments.webhooks.intake import Intake
from services.payments.webhooks.models import WebhookEvent
from tests.factories.payments import create_paid_payment
from tests.fakes.paystack import charge_success
from tests.fixtures.apps import RunningApp
from tests.fixtures.environment import PAYSTACK_SECRET_KEY
from tests.fixtures.loops import until
from tests.fixtures.payments_requests import post_webhook
from tests.fixtures.proxy import Proxy

# A connection whose connect was cancelled is closed by its finalizer, which warns.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed connection <asyncpg:ResourceWarning")

LONGEST = 12.0
"""The longest time in seconds that a request may take."""
CONNECTIONS = settings.database_connections
Ask = Callable[[], Awaitable[httpx.Response]]


@pytest.fixture
async def proxy(postgres: Postgres, payments: RunningApp, notifier: Notifier) -> AsyncIterator[Proxy]:
    """The way of all requests to the database."""
    async with Proxy(postgres.url("payments")) as found:
        engine = create_engine(SecretStr(found.url), name="pool-test")
        reading = create_reading_engine(SecretStr(found.url), name="pool-test")
        sessions.configure(bind=engine)
        reading_sessions.configure(bind=reading)
        payments.state["intake"] = Intake(engine, notifier, [PAYSTACK_SECRET_KEY.encode()])
        try:
            yield found
        finally:
            sessions.configure(bind=own)
            reading_sessions.configure(bind=own_reading)
            found.refuse()
            await engine.dispose()
            await reading.dispose()
            gc.collect()  # here, and not in the middle of another test


@pytest.fixture
async def requests(client: httpx.AsyncClient, customer: dict[str, str], operator: dict[str, str]) -> dict[str, Ask]:
    """One request of each kind that needs the database."""
    path = f"/payments/{(await create_paid_payment(paystack_id=None)).reference}"
    return {
        "read": lambda: client.get(path, headers=customer),
        "list": lambda: client.get("/payments", headers=customer),
        "start": lambda: client.post("/payments", json={"order_id": str(uuid4())}, headers=with_key(customer)),
        "verify": lambda: client.post(f"{path}/verify", headers=customer),
        "refund": lambda: client.post(f"{path}/refunds", json={"amount": 1}, headers=with_key(operator)),
        "webhook": lambda: post_webhook(client, charge_success(f"pay-{uuid4().hex}")),
        "webhook events": lambda: client.get("/payments/webhook-events", headers=operator),
        "ledger": lambda: client.get("/payments/ledger", headers=operator),
    }


def with_key(headers: dict[str, str]) -> dict[str, str]:
    return {**headers, "Idempotency-Key": uuid4().hex}


async def timed(ask: Ask) -> tuple[httpx.Response, float]:
    began = time.monotonic()
    return await ask(), time.monotonic() - began


def is_try_again(answer: httpx.Response) -> bool:
    return answer.status_code == 503 and int(answer.headers["retry-after"]) >= 1


async def all_answered(requests: dict[str, Ask]) -> bool:
    """Return True if every kind of request is answered at the first attempt."""
    answers = await asyncio.gather(*(ask() for ask in requests.values()))
    return all(answer.status_code < 500 or answer.json()["code"] == "catalog_unavailable" for answer in answers)


async def test_requests_when_the_database_freezes_answer_503_in_time(
    client: httpx.AsyncClient, proxy: Proxy, requests: dict[str, Ask]
) -> None:
    assert not is_try_again(await requests["read"]())  # a pooled connection that looks sound
    proxy.stall()

    async def after(pause: float, ask: Ask) -> tuple[httpx.Response, float]:
        await asyncio.sleep(pause)  # these requests come while others wait already
        return await timed(ask)

    asked = [after(n / 30, ask) for n in range(40) for ask in requests.values()]
    livez = after(1, lambda: client.get("/livez"))
    answers = await asyncio.gather(*asked, livez)
    assert answers[-1][0].status_code == 200
    assert answers[-1][1] < 1
    assert all(is_try_again(answer) for answer, _ in answers[:-1])
    assert max(seconds for _, seconds in answers) < LONGEST
    proxy.flow()
    assert await all_answered(requests)


async def test_transaction_when_the_database_freezes_midway_ends_in_time(
    proxy: Proxy, requests: dict[str, Ask]
) -> None:
    async def freeze() -> None:
        async with sessions.begin() as session:
            await session.connection()
            proxy.stall()
            await session.get(WebhookEvent, 0)

    began = time.monotonic()
    with pytest.raises(TimeoutError):
        await freeze()
    assert time.monotonic() - began < LONGEST
    proxy.flow()
    assert await all_answered(requests)


@asynccontextmanager
async def ender(postgres: Postgres) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the same role, which may end the others."""
    connection = await asyncpg.connect(postgres.url("payments"), timeout=5)
    try:
        yield connection
    finally:
        await connection.close(timeout=5)


END = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE application_name IN ('pool-test', 'pool-test-reading') AND ($1 = '' OR state = $1)
"""


async def test_connections_when_they_are_ended_while_idle_cost_no_request(
    postgres: Postgres, proxy: Proxy, requests: dict[str, Ask]
) -> None:
    async with ender(postgres) as killer:
        for _ in range(3):
            await asyncio.gather(*(requests[kind]() for kind in ("read", "verify") for _ in range(30)))
            assert await killer.fetchval(END, "idle") >= CONNECTIONS
            assert await all_answered(requests)


async def test_connections_when_they_are_ended_under_load_cost_only_503s(
    postgres: Postgres, proxy: Proxy, requests: dict[str, Ask]
) -> None:
    answers: list[httpx.Response] = []
    over = False

    async def repeat(ask: Ask) -> None:
        while not over:
            answers.append(await ask())

    asking = [asyncio.create_task(repeat(ask)) for ask in requests.values() for _ in range(2)]
    async with ender(postgres) as killer:
        ended = 0
        for _ in range(8):
            many = len(answers) + 40

            async def went_on(many: int = many) -> bool:
                return len(answers) >= many

            await until(went_on)
            ended += await killer.fetchval(END, "")
    over = True
    await asyncio.gather(*asking)
    assert ended > 20
    failed = [answer for answer in answers if answer.status_code >= 500]
    assert all(is_try_again(answer) for answer in failed), Counter(answer.text for answer in failed)
    assert await all_answered(requests)


async def test_requests_when_they_outnumber_the_connections_answer_503_and_livez_200(
    client: httpx.AsyncClient, postgres: Postgres, proxy: Proxy, requests: dict[str, Ask]
) -> None:
    holder = await asyncpg.connect(postgres.url("payments"), timeout=5)
    try:
        await holder.execute("BEGIN; LOCK TABLE payments")
        asking = asyncio.gather(*(timed(requests["read"]) for _ in range(CONNECTIONS + 50)))
        while not asking.done():
            assert (await client.get("/livez")).status_code == 200
            await asyncio.wait({asking}, timeout=0.2)
        answers = await asking
    finally:
        await holder.close(timeout=5)
    assert all(is_try_again(answer) for answer, _ in answers)
    assert max(seconds for _, seconds in answers) < LONGEST
    assert await all_answered(requests)


async def test_writes_when_all_reading_connections_are_in_use_are_answered(
    client: httpx.AsyncClient, proxy: Proxy, requests: dict[str, Ask]
) -> None:
    async with AsyncExitStack() as in_use:
        for _ in range(settings.database_reading_connections):
            session = await in_use.enter_async_context(reading_sessions())
            await session.connection()
        read = asyncio.create_task(timed(requests["read"]))
        writes = await asyncio.gather(*(requests[kind]() for kind in ("verify", "refund", "webhook")))
        assert [answer.status_code for answer in writes] == [200, 202, 200]
        answer, seconds = await read
        assert is_try_again(answer)
        assert seconds < LONGEST
    assert await all_answered(requests)
