"""Logins that wait for a thread."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from sqlalchemy import func, select

from services.auth.accounts.hash_queue import MAX_WAITING_PER_REQUESTER
from services.auth.accounts.password_hashing import PasswordHasher
from services.auth.db import db_sessions
from services.auth.throttling.models import FailedLogin
from tests.fixtures.apps import RunningApp, listening
from tests.fixtures.auth import AuthClient
from tests.fixtures.auth_app import auth_client
from tests.fixtures.loops import until
from tests.fixtures.metrics import metric

CONNECTIONS = 80
ABANDONED = 70


@pytest.fixture
async def elsewhere(auth_app: RunningApp) -> AsyncIterator[AuthClient]:
    """A client at another address."""
    async with auth_client(auth_app, "198.51.100.7") as client:
        yield client


async def _guess_until(stop: asyncio.Event, auth: AuthClient, statuses: set[int]) -> None:
    while not stop.is_set():
        statuses.add((await auth.login(f"{uuid4()}@example.com", "guessing")).status_code)


async def test_login_when_another_address_has_eighty_connections_then_all_are_granted(
    auth: AuthClient, elsewhere: AuthClient, email: str
) -> None:
    stop, statuses = asyncio.Event(), set[int]()
    storm = [asyncio.create_task(_guess_until(stop, auth, statuses)) for _ in range(CONNECTIONS)]
    logins = []
    for _ in range(20):
        logins.append((await elsewhere.login(email)).status_code)
        assert (await elsewhere.http.get("/.well-known/jwks.json")).status_code == 200
    stop.set()
    await asyncio.gather(*storm)
    assert logins == [200] * 20
    assert {503} <= statuses <= {400, 429, 503}, "the queue was full"


async def test_login_when_too_many_of_an_address_wait_then_503(
    auth: AuthClient, elsewhere: AuthClient, hasher: PasswordHasher, email: str
) -> None:
    async with AsyncExitStack() as threads:
        for _ in range(hasher.threads):
            await threads.enter_async_context(hasher.slot())
        waiting = [asyncio.create_task(auth.login(email)) for _ in range(MAX_WAITING_PER_REQUESTER)]
        await _wait_for_waiting(MAX_WAITING_PER_REQUESTER)
        refused = await auth.login(email)
        assert (refused.status_code, refused.json()["code"]) == (503, "too_busy")
        assert int(refused.headers["retry-after"]) >= 1
        waiting.append(asyncio.create_task(elsewhere.login(email)))
        await _wait_for_waiting(MAX_WAITING_PER_REQUESTER + 1)
    assert {response.status_code for response in await asyncio.gather(*waiting)} == {200}


async def test_login_when_seventy_clients_go_away_then_their_passwords_are_not_hashed(
    auth_app: RunningApp, elsewhere: AuthClient, hasher: PasswordHasher, email: str
) -> None:
    async with listening(auth_app) as server, AsyncExitStack() as threads:
        for _ in range(hasher.threads):
            await threads.enter_async_context(hasher.slot())
        connections = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(ABANDONED)]
        for _, writer in connections:
            writer.write(_login_request())
        refused = [asyncio.create_task(reader.readuntil(b"\r\n\r\n")) for reader, _ in connections]
        await _wait_for_waiting(MAX_WAITING_PER_REQUESTER)
        while sum(task.done() for task in refused) < ABANDONED - MAX_WAITING_PER_REQUESTER:
            await asyncio.wait([task for task in refused if not task.done()], return_when=asyncio.FIRST_COMPLETED)
        for _, writer in connections:
            writer.transport.abort()
        await until(server.has_no_connections)
        answers = await asyncio.gather(*refused, return_exceptions=True)
        await threads.aclose()
        await _wait_for_waiting(0)
        assert (await elsewhere.login(email)).status_code == 200
    assert (
        sum(b" 503 " in answer for answer in answers if isinstance(answer, bytes))
        == ABANDONED - MAX_WAITING_PER_REQUESTER
    )
    async with db_sessions() as session:
        assert await session.scalar(select(func.count()).select_from(FailedLogin)) == 0, "each guess would leave a row"


def _login_request() -> bytes:
    body = urlencode({"grant_type": "password", "username": f"{uuid4()}@example.com", "password": "guessing"}).encode()
    head = (
        "POST /auth/token HTTP/1.1\r\nHost: auth\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _wait_for_waiting(number: int) -> None:
    """Wait until so many requests wait for a thread."""

    async def waiting() -> bool:
        return metric("auth_hashes_waiting") == number

    await until(waiting)
