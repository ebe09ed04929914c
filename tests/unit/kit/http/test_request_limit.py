"""The limit on requests that are processed at the same time."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import httpx
import pytest
from fastapi import Request, Response

from kit.http.routing import Router
from kit.http.unparsed_routes import UnparsedRoute
from tests.fixtures.sample_app import make_app, sample_client

LIMIT = 3


@dataclass
class Waiting:
    """Requests that wait until they are released."""

    client: httpx.AsyncClient
    released: asyncio.Event = field(default_factory=asyncio.Event)
    started: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))


@pytest.fixture
async def waiting() -> AsyncIterator[Waiting]:
    router = Router(route_class=UnparsedRoute)

    @router.post("/hook")
    async def hook(_: Request) -> Response:
        return Response()

    app = make_app(routers=[router], max_requests=LIMIT)
    async with sample_client(app) as client:
        found = Waiting(client)

        @app.get("/wait")
        @app.post("/wait")
        async def wait() -> None:
            found.started.release()
            await found.released.wait()

        yield found
        found.released.set()


async def test_requests_over_the_limit_are_answered_with_503_and_health_checks_and_webhooks_are_not(
    waiting: Waiting,
) -> None:
    client = waiting.client
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        running = [group.create_task(client.post("/wait")) for _ in range(LIMIT)]
        for _ in running:
            await waiting.started.acquire()
        refused = await client.get("/fine")
        assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.headers["retry-after"] == "1"
        assert refused.json()["request_id"] == refused.headers["x-request-id"]
        for path in ("/livez", "/readyz", "/metrics"):
            assert (await client.get(path)).status_code == 200
        assert (await client.post("/hook")).status_code == 200
        waiting.released.set()
    assert [request.result().status_code for request in running] == [200] * LIMIT
    assert (await client.get("/fine")).status_code == 200


async def test_reading_requests_leave_room_for_others(waiting: Waiting) -> None:
    client = waiting.client
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        reading = [group.create_task(client.get("/wait")) for _ in range(LIMIT)]
        for _ in range(LIMIT - 1):
            await waiting.started.acquire()
        for method in ("GET", "HEAD"):
            assert (await client.request(method, "/fine")).status_code == 503
        paying = group.create_task(client.post("/wait"))
        await waiting.started.acquire()
        assert (await client.post("/things", json={"name": "a", "number": 1})).status_code == 503, "the limit of all"
        waiting.released.set()
    assert sorted(request.result().status_code for request in reading) == [200] * (LIMIT - 1) + [503]
    assert paying.result().status_code == 200
    assert [(await client.get("/fine")).status_code for _ in range(2 * LIMIT)] == [200] * 2 * LIMIT


async def test_requests_whose_body_is_still_arriving_are_not_counted(waiting: Waiting) -> None:
    arriving = asyncio.Event()

    async def slow_body() -> AsyncIterator[bytes]:
        yield b"{"
        await arriving.wait()
        yield b"}"

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        for _ in range(LIMIT + 1):
            group.create_task(waiting.client.post("/things", content=slow_body()))
        assert (await waiting.client.get("/fine")).status_code == 200
        arriving.set()


async def test_failed_requests_are_not_counted_any_more(waiting: Waiting) -> None:
    for _ in range(2 * LIMIT):
        assert (await waiting.client.get("/boom")).status_code == 500
    assert (await waiting.client.get("/fine")).status_code == 200
