"""The limits on request bodies, over a real connection."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, Form, Request
from pydantic import BaseModel

from kit import errors
from kit.http.body_limit import FREE_BYTES, BodyLimit
from tests.fixtures.loops import until
from tests.fixtures.quick_server import QuickServer

LIMIT = 1000
SECONDS = 0.3


class Note(BaseModel):
    text: str


@asynccontextmanager
async def serving(app: FastAPI) -> AsyncIterator[int]:
    server = QuickServer(uvicorn.Config(app, log_config=None, lifespan="off"))
    listening = socket.create_server(("127.0.0.1", 0))
    task = asyncio.create_task(server.serve([listening]))
    try:
        yield listening.getsockname()[1]
    finally:
        server.end()
        await task


@pytest.fixture(scope="module")
async def port() -> AsyncIterator[int]:
    app = FastAPI()
    errors.install_error_handlers(app)
    app.add_middleware(BodyLimit, default=LIMIT, seconds=SECONDS)

    @app.post("/json")
    async def read_json(note: Note) -> int:
        return len(note.text)

    @app.post("/form")
    async def read_form(text: Annotated[str, Form()]) -> int:
        return len(text)

    @app.post("/slow-answer")
    async def answer_slowly(note: Note) -> int:
        await asyncio.sleep(2 * SECONDS)
        return len(note.text)

    async with serving(app) as found:
        yield found


async def exchange(port: int, path: str, headers: list[str], *pieces: bytes) -> tuple[int, str]:
    """Send the pieces and nothing more, and return the status and the code of the response."""
    kind = "application/x-www-form-urlencoded" if path == "/form" else "application/json"
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        lines = [f"POST {path} HTTP/1.1", "Host: test", f"Content-Type: {kind}", *headers]
        writer.write("".join(f"{line}\r\n" for line in lines).encode() + b"\r\n")
        for piece in pieces:
            writer.write(piece)
        async with asyncio.timeout(5):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            body = await reader.read(10_000)
            if "connection: close" in head.lower():
                assert await reader.read() == b""
        return int(head.split()[1]), json.loads(body).get("code", "") if body.startswith(b"{") else ""
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def body_of(path: str, size: int) -> bytes:
    start, end = (b"text=", b"") if path == "/form" else (b'{"text":"', b'"}')
    return start + b"x" * (size - len(start) - len(end)) + end


@pytest.mark.parametrize("path", ["/json", "/form"])
@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(("size", "wanted"), [(LIMIT, (200, "")), (LIMIT + 1, (413, "body_too_large"))])
async def test_a_body_is_refused_when_it_is_one_byte_over_the_limit(
    port: int, path: str, chunked: bool, size: int, wanted: tuple[int, str]
) -> None:
    body = body_of(path, size)
    if chunked:
        answer = await exchange(
            port, path, ["Transfer-Encoding: chunked"], chunk(body[:600]), chunk(body[600:]), chunk(b"")
        )
    else:
        answer = await exchange(port, path, [f"Content-Length: {size}"], body)
    assert answer == wanted


async def test_a_body_that_does_not_arrive_is_408_and_a_response_may_take_longer_than_its_deadline(port: int) -> None:
    headers = ["Content-Length: 100"], ["Transfer-Encoding: chunked"]
    missing = [exchange(port, path, each) for path in ("/json", "/form") for each in headers]
    body = body_of("/slow-answer", 50)
    slow = exchange(port, "/slow-answer", [f"Content-Length: {len(body)}"], body)
    assert await asyncio.gather(*missing, slow) == [(408, "body_too_slow")] * 4 + [(200, "")]


@pytest.fixture
async def small_memory() -> AsyncIterator[httpx.AsyncClient]:
    """An app that accepts bodies of 1 MiB, and has memory for one of them."""
    app = FastAPI()
    errors.install_error_handlers(app)
    app.add_middleware(BodyLimit, limits={"/large": 1024 * 1024}, shared=1024 * 1024)

    @app.post("/large")
    @app.post("/small")
    async def read(request: Request) -> int:
        return len(await request.body())

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        yield client


async def test_large_bodies_share_their_memory_and_small_ones_do_not_need_it(small_memory: httpx.AsyncClient) -> None:
    sending, finish = asyncio.Semaphore(0), asyncio.Event()
    large = b"x" * 900_000

    async def slow_body() -> AsyncIterator[bytes]:
        yield large
        sending.release()
        await finish.wait()
        yield b"x"

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        first = group.create_task(small_memory.post("/large", content=slow_body()))
        await sending.acquire()
        refused = await small_memory.post("/large", content=large)
        assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
        assert refused.headers["retry-after"]
        assert (await small_memory.post("/small", content=b"x" * FREE_BYTES)).json() == FREE_BYTES
        finish.set()
    assert first.result().json() == 900_001
    for _ in range(3):
        assert (await small_memory.post("/large", content=large)).json() == 900_000, "the memory is free again"


async def test_slow_clients_share_a_limited_memory_and_do_not_keep_small_requests_out() -> None:
    """Over real connections: each slow client sends the first 40 KiB of 60, so the shared memory is enough for eight of them."""
    size, clients = 60 * 1024, 8
    app = FastAPI()
    errors.install_error_handlers(app)
    app.add_middleware(BodyLimit, shared=clients * (40 * 1024 - FREE_BYTES))

    @app.post("/json")
    async def read(request: Request) -> int:
        return len(await request.body())

    async with serving(app) as port:
        slow = [await asyncio.open_connection("127.0.0.1", port) for _ in range(clients)]
        for _, writer in slow:
            writer.write(
                f"POST /json HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode() + b"x" * 40 * 1024
            )

        async def large_is_refused() -> bool:
            return await exchange(port, "/json", [f"Content-Length: {size}"], b"x" * size) == (503, "unavailable")

        await until(large_is_refused)
        assert await exchange(port, "/json", [f"Content-Length: {FREE_BYTES}"], b"x" * FREE_BYTES) == (200, "")
        for _, writer in slow:
            writer.transport.abort()

        async def large_is_accepted() -> bool:
            return await exchange(port, "/json", [f"Content-Length: {size}"], b"x" * size) == (200, "")

        await until(large_is_accepted)
