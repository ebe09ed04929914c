"""The API and its connections: a database that freezes, connections that are ended, and more requests than there are connections."""

import asyncio
import gc
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import uuid4

import asyncpg
import httpx
import pytest
from pydantic import SecretStr

from dev.servers.postgres import Postgres
from kit.db.engine import create_engine
from services.payments.db import engine as own
from services.payments.db import sessions
from services.payments.webhooks.intake import Intake
from services.payments.webhooks.models import WebhookEvent
from tests.conftest import ADMIN, PAYSTACK_SECRET_KEY, Signer
from tests.loops import until
from tests.payments.conftest import charge, notifier, payment, running_app, send
from tests.proxy import Proxy

# A connect that was cancelled half-way leaves its connection to the finaliser, which closes it and says so.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed connection <asyncpg:ResourceWarning")

LONGEST = 6.0
CONNECTIONS = 15
Ask = Callable[[], Awaitable[httpx.Response]]


@pytest.fixture
async def proxy(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Proxy]:
    """The way of all requests to the database."""
    async with Proxy(postgres.url("payments")) as found:
        engine = create_engine(SecretStr(found.url), name="pool-test")
        sessions.configure(bind=engine)
        monkeypatch.setitem(running_app().state, "intake", Intake(engine, notifier(), [PAYSTACK_SECRET_KEY.encode()]))
        try:
            yield found
        finally:
            sessions.configure(bind=own)
            found.refuse()
            await engine.dispose()
            gc.collect()  # here, and not in the middle of another test


@pytest.fixture
async def requests(client: httpx.AsyncClient, signer: Signer) -> dict[str, Ask]:
    """One of each kind that needs the database."""
    paid = await payment(status="succeeded", paid_amount=50_000, paid_currency="NGN")
    payer, admin = signer.headers("payer-1"), signer.headers("admin", scopes=ADMIN)
    path = f"/payments/{paid.reference}"
    return {
        "read": lambda: client.get(path, headers=payer),
        "list": lambda: client.get("/payments", headers=payer),
        "start": lambda: client.post("/payments", json={"order_id": str(uuid4())}, headers=keyed(payer)),
        "verify": lambda: client.post(f"{path}/verify", headers=payer),
        "refund": lambda: client.post(f"{path}/refunds", json={"amount": 1}, headers=keyed(admin)),
        "webhook": lambda: send(client, charge(f"pay-{uuid4().hex}")),
        "notices": lambda: client.get("/payments/webhook-events", headers=admin),
        "ledger": lambda: client.get("/payments/ledger", headers=admin),
    }


def keyed(headers: dict[str, str]) -> dict[str, str]:
    return {**headers, "Idempotency-Key": uuid4().hex}


async def timed(ask: Ask) -> tuple[httpx.Response, float]:
    began = time.monotonic()
    return await ask(), time.monotonic() - began


def told_to_come_again(answer: httpx.Response) -> bool:
    return answer.status_code == 503 and int(answer.headers["retry-after"]) >= 1


async def test_a_frozen_database_is_answered_503_in_time(
    client: httpx.AsyncClient, proxy: Proxy, requests: dict[str, Ask]
) -> None:
    assert not told_to_come_again(await requests["read"]())  # a pooled connection that looks sound
    proxy.stall()

    async def after(pause: float, ask: Ask) -> tuple[httpx.Response, float]:
        await asyncio.sleep(pause)  # requests that come while others wait already
        return await timed(ask)

    asked = [after(n / 10, ask) for n in range(40) for ask in requests.values()]
    livez = after(2, lambda: client.get("/livez"))
    answers = await asyncio.gather(*asked, livez)
    assert answers[-1][0].status_code == 200
    assert answers[-1][1] < 1
    assert all(told_to_come_again(answer) for answer, _ in answers[:-1])
    assert max(seconds for _, seconds in answers) < LONGEST
    proxy.flow()
    assert await in_order(requests)


async def test_a_database_that_freezes_in_the_middle_of_a_transaction(proxy: Proxy, requests: dict[str, Ask]) -> None:
    async def frozen() -> None:
        async with sessions.begin() as session:
            await session.connection()
            proxy.stall()
            await session.get(WebhookEvent, 0)

    began = time.monotonic()
    with pytest.raises(TimeoutError):
        await frozen()
    assert time.monotonic() - began < LONGEST
    proxy.flow()
    assert await in_order(requests)


async def in_order(requests: dict[str, Ask]) -> bool:
    """Whether every kind is answered, at once and at the first try."""
    answers = await asyncio.gather(*(ask() for ask in requests.values()))
    return all(answer.status_code < 500 or answer.json()["code"] == "catalog_unavailable" for answer in answers)


@asynccontextmanager
async def superuser(postgres: Postgres) -> AsyncIterator[asyncpg.Connection]:
    connection = await postgres._connect()
    try:
        yield connection
    finally:
        await connection.close(timeout=5)


END = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE application_name = 'pool-test' AND ($1 = '' OR state = $1)
"""


async def test_connections_that_were_ended_while_idle_cost_no_request(
    postgres: Postgres, proxy: Proxy, requests: dict[str, Ask]
) -> None:
    async with superuser(postgres) as killer:
        for _ in range(3):
            await asyncio.gather(*(requests["read"]() for _ in range(30)))
            assert await killer.fetchval(END, "idle") >= 10
            assert await in_order(requests)


async def test_connections_that_are_ended_under_load_cost_only_503s(
    postgres: Postgres, proxy: Proxy, requests: dict[str, Ask]
) -> None:
    answers: list[httpx.Response] = []
    over = False

    async def go_on(ask: Ask) -> None:
        while not over:
            answers.append(await ask())

    asking = [asyncio.create_task(go_on(ask)) for ask in requests.values() for _ in range(2)]
    async with superuser(postgres) as killer:
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
    assert all(told_to_come_again(answer) for answer in failed), Counter(answer.text for answer in failed)
    assert await in_order(requests)


async def test_more_requests_than_connections(
    client: httpx.AsyncClient, postgres: Postgres, proxy: Proxy, requests: dict[str, Ask]
) -> None:
    holder = await asyncpg.connect(postgres.url("payments"), timeout=5)
    try:
        await holder.execute("BEGIN; LOCK TABLE payments")
        asking = asyncio.gather(*(timed(requests["read"]) for _ in range(CONNECTIONS + 50)))
        while not asking.done():
            answer, seconds = await timed(lambda: client.get("/livez"))
            assert answer.status_code == 200
            assert seconds < 1
            await asyncio.wait({asking}, timeout=0.2)
        answers = await asking
    finally:
        await holder.close(timeout=5)
    assert all(told_to_come_again(answer) for answer, _ in answers)
    assert max(seconds for _, seconds in answers) < LONGEST
    assert await in_order(requests)
