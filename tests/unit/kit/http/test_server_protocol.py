"""The limits of the server on connections, headers, pipelined requests and unread responses, over real connections."""

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import ClassVar

import httpx
import pytest
import uvicorn
import uvloop
from fastapi import FastAPI, Response
from prometheus_client import REGISTRY

from kit.http.server_protocol import MAX_HEADER_BYTES, MAX_PIPELINED, ServerProtocol
from tests.fixtures.sample_app import make_app

CONNECTIONS = 8
GET = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
LARGE = 30 * 1024 * 1024


class StrictProtocol(ServerProtocol):
    """The same with a low number of connections and short times."""

    max_connections = CONNECTIONS
    header_seconds = 0.3
    unread_seconds = 0.3
    waiting: ClassVar[dict[ServerProtocol, None]] = {}


class PatientProtocol(ServerProtocol):
    """The same with a low number of connections and long times."""

    max_connections = CONNECTIONS
    waiting: ClassVar[dict[ServerProtocol, None]] = {}


@dataclass
class Running:
    """A server on uvloop, in a thread of its own. Its route /wait waits for `release`."""

    port: int
    loop: asyncio.AbstractEventLoop
    released: asyncio.Event = field(default_factory=asyncio.Event)
    started: int = 0
    clients: list["Client"] = field(default_factory=list)

    def release(self) -> None:
        """Let the route /wait answer."""
        self.loop.call_soon_threadsafe(self.released.set)


def app_of(running: Running) -> FastAPI:
    app = make_app(cors_origins="https://shop.test")

    @app.get("/wait")
    async def wait() -> None:
        running.started += 1
        await running.released.wait()

    @app.get("/large")
    async def large() -> Response:
        return Response(b"x" * LARGE)

    return app


@asynccontextmanager
async def serving(protocol: type[ServerProtocol]) -> AsyncIterator[Running]:
    listening = socket.create_server(("127.0.0.1", 0))
    running = Running(listening.getsockname()[1], uvloop.new_event_loop())
    config = uvicorn.Config(
        app_of(running), http=protocol, ws="none", log_config=None, access_log=False, lifespan="off"
    )
    server = uvicorn.Server(config)

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: running.loop) as runner:
            runner.run(server.serve([listening]))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield running
    finally:
        for client in running.clients:
            client.writer.transport.abort()
        running.release()
        server.should_exit = True
        await asyncio.to_thread(thread.join, 10)


@pytest.fixture
async def strict() -> AsyncIterator[Running]:
    async with serving(StrictProtocol) as running:
        yield running


@pytest.fixture
async def patient() -> AsyncIterator[Running]:
    async with serving(PatientProtocol) as running:
        yield running


class Client:
    """A connection to the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, running: Running, data: bytes = b"") -> "Client":
        client = cls(*await asyncio.open_connection("127.0.0.1", running.port))
        running.clients.append(client)
        client.writer.write(data)
        return client

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Return the status, the headers and the body of the next response."""
        async with asyncio.timeout(5):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
            status, *lines = head.rstrip().split("\r\n")
            headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
            body = await self.reader.readexactly(int(headers["content-length"]))
        return int(status.split()[1]), headers, body

    async def rest(self) -> bytes:
        """Return what the server still sends until it closes the connection."""
        try:
            async with asyncio.timeout(5):
                return await self.reader.read()
        except ConnectionError:
            return b""


def closed(reason: str) -> float:
    return REGISTRY.get_sample_value("http_connections_closed_total", {"reason": reason}) or 0


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 -- a counter of another thread
            await asyncio.sleep(0.01)


async def test_idle_connections_do_not_keep_others_out(patient: Running) -> None:
    before = closed("too_many")
    idle = [await Client.connect(patient, GET) for _ in range(CONNECTIONS)]
    for client in idle:
        assert (await client.answer())[0] == 200
    for number in range(3):
        newcomer = await Client.connect(patient, GET)
        assert (await newcomer.answer())[0] == 200
        assert await idle[number].rest() == b"", "the one that was idle longest is closed"
    idle[-1].writer.write(GET)
    assert (await idle[-1].answer())[0] == 200
    assert closed("too_many") == before + 3


@pytest.mark.parametrize(
    "unfinished",
    [b"", b"GET /liv", b"\r\n\r\n", b"POST /things HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf"],
    ids=["nothing", "half a header", "empty lines", "half a body"],
)
async def test_incomplete_requests_do_not_keep_others_out(patient: Running, unfinished: bytes) -> None:
    slow = [await Client.connect(patient, unfinished) for _ in range(CONNECTIONS)]
    newcomer = await Client.connect(patient, GET)
    assert (await newcomer.answer())[0] == 200
    assert await slow[0].rest() == b""


async def test_requests_that_are_being_processed_are_not_interrupted(patient: Running) -> None:
    busy = [await Client.connect(patient, GET.replace(b"livez", b"wait")) for _ in range(CONNECTIONS)]
    await until(lambda: patient.started == CONNECTIONS)
    assert await (await Client.connect(patient, GET)).rest() == b""
    patient.release()
    for client in busy:
        assert (await client.answer())[0] == 200


@pytest.mark.parametrize("start", [b"", GET], ids=["first request", "second request"])
@pytest.mark.parametrize("unfinished", [b"GET /livez HTTP/1.1\r\nHost", b"\r\n"], ids=["half a header", "empty lines"])
async def test_header_that_does_not_arrive_is_answered_with_408(
    strict: Running, start: bytes, unfinished: bytes
) -> None:
    client = await Client.connect(strict, start)
    if start:
        assert (await client.answer())[0] == 200
    client.writer.write(unfinished)
    status, headers, body = await client.answer()
    assert (status, json.loads(body)["code"]) == (408, "header_too_slow")
    assert headers["content-type"] == "application/problem+json"
    assert await client.rest() == b""


async def test_header_that_drips_has_the_same_time(strict: Running) -> None:
    client = await Client.connect(strict, b"GET /livez HTTP/1.1\r\n")

    async def drip() -> None:
        while True:
            client.writer.write(b"a: b\r\n")
            await asyncio.sleep(0.02)

    dripping = asyncio.create_task(drip())
    assert (await client.answer())[0] == 408
    dripping.cancel()


async def test_connection_without_a_request_is_closed(strict: Running) -> None:
    assert await (await Client.connect(strict)).rest() == b""


async def test_connection_may_be_idle_between_two_requests(strict: Running) -> None:
    client = await Client.connect(strict, GET)
    assert (await client.answer())[0] == 200
    await asyncio.sleep(2 * StrictProtocol.header_seconds)
    client.writer.write(GET)
    assert (await client.answer())[0] == 200


def header(size: int) -> bytes:
    return b"GET /livez HTTP/1.1\r\nHost: x\r\nA: " + b"a" * size + b"\r\n\r\n"


TOO_LARGE = {
    "one field": header(MAX_HEADER_BYTES),
    "an endless field": header(2 * MAX_HEADER_BYTES).rstrip(),
    "many fields": b"GET /livez HTTP/1.1\r\n" + b"a: b\r\n" * (MAX_HEADER_BYTES // 2) + b"\r\n",
    "path": b"GET /" + b"a" * MAX_HEADER_BYTES + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "megabyte": header(1024 * 1024),
}


@pytest.mark.parametrize("request_bytes", TOO_LARGE.values(), ids=TOO_LARGE)
async def test_header_that_is_too_large_is_answered_with_431(patient: Running, request_bytes: bytes) -> None:
    client = await Client.connect(patient, request_bytes)
    status, headers, body = await client.answer()
    assert (status, json.loads(body)["code"]) == (431, "header_too_large")
    assert headers["connection"] == "close"


async def test_header_of_the_size_that_the_gateway_allows_is_accepted(patient: Running) -> None:
    client = await Client.connect(patient, header(16 * 1024))
    assert (await client.answer())[0] == 200
    body = b'{"name":"' + b"n" * (MAX_HEADER_BYTES + 100) + b'","number":1}'
    head = f"POST /things HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    client.writer.write(head.encode() + body)
    assert (await client.answer())[0] == 422, "a large body is not a large header"


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nno colon\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
    ],
)
async def test_malformed_request_is_answered_with_problem_json(patient: Running, request_bytes: bytes) -> None:
    before = REGISTRY.get_sample_value(
        "http_requests_total", {"method": "OTHER", "route": "unmatched", "status": "400"}
    )
    client = await Client.connect(patient, request_bytes)
    status, headers, body = await client.answer()
    problem = json.loads(body)
    assert (status, problem["status"], problem["code"]) == (400, 400, "bad_request")
    assert headers["content-type"] == "application/problem+json"
    assert headers["x-request-id"] == problem["request_id"]
    assert await client.rest() == b""
    after = REGISTRY.get_sample_value("http_requests_total", {"method": "OTHER", "route": "unmatched", "status": "400"})
    assert after == (before or 0) + 1


async def test_some_pipelined_requests_are_answered_and_many_end_the_connection(patient: Running) -> None:
    client = await Client.connect(patient, GET * MAX_PIPELINED)
    for _ in range(MAX_PIPELINED):
        assert (await client.answer())[0] == 200
    before = closed("too_many_pipelined")
    answers = await (await Client.connect(patient, GET * 1000)).rest()
    assert answers.count(b"HTTP/1.1 200") <= MAX_PIPELINED
    assert closed("too_many_pipelined") == before + 1


@pytest.mark.parametrize("close", [b"", b"Connection: close\r\n"], ids=["keep-alive", "close"])
async def test_response_that_is_not_read_ends_the_connection(strict: Running, close: bytes) -> None:
    before = closed("response_not_read")
    client = await Client.connect(strict, b"GET /large HTTP/1.1\r\nHost: x\r\n" + close + b"\r\n")
    await until(lambda: closed("response_not_read") == before + 1)
    assert len(await client.rest()) < LARGE


async def test_response_that_is_read_slowly_is_complete(strict: Running) -> None:
    client = await Client.connect(strict, b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
    head = await client.reader.readuntil(b"\r\n\r\n")
    assert f"content-length: {LARGE}".encode() in head
    received = 0
    while part := await client.reader.read(1024 * 1024):
        received += len(part)
        if received == LARGE:
            break
        await asyncio.sleep(0.02)
    assert received == LARGE


async def test_rest_of_a_body_after_an_early_response_is_not_taken_for_a_header(patient: Running) -> None:
    size = 2 * MAX_HEADER_BYTES
    preflight = f"OPTIONS /things HTTP/1.1\r\nHost: x\r\nOrigin: https://shop.test\r\nContent-Length: {size}\r\n"
    client = await Client.connect(patient, f"{preflight}Access-Control-Request-Method: POST\r\n\r\n".encode())
    assert (await client.answer())[0] == 200, "the middleware for CORS answers without reading the body"
    for part in (b"x" * (size - 100), b"x" * 100 + GET):
        client.writer.write(part)
        await client.writer.drain()
    assert (await client.answer())[0] == 200


async def test_ordinary_clients_reuse_their_connection(patient: Running) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{patient.port}", trust_env=False) as client:
        for _ in range(3):
            assert (await client.get("/livez")).status_code == 200
            assert (await client.post("/things", json={"name": "a", "number": 1})).status_code == 200
