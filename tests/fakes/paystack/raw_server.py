"""An HTTP server on loopback that answers Paystack's clients with arbitrary bytes, or with nothing: faults that need a socket."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

RawAnswer = Callable[[str, asyncio.StreamWriter], Awaitable[None]]
"""Writes the answer to a call. The text is the last part of the path: the reference that verify is asked about."""


def http_response(status: int, body: bytes | dict[str, Any], headers: str = "", length: int | None = None) -> bytes:
    """Return a response as bytes; `length` is the content-length that it claims."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    claimed = len(raw) if length is None else length
    return f"HTTP/1.1 {status} X\r\ncontent-length: {claimed}\r\n{headers}\r\n".encode() + raw


def answer_with(status: int, body: bytes | dict[str, Any], headers: str = "") -> RawAnswer:
    async def answer(_: str, writer: asyncio.StreamWriter) -> None:
        writer.write(http_response(status, body, headers))

    return answer


def answer_with_charge(make: Callable[[str], dict[str, Any]]) -> RawAnswer:
    """Answer verify with the charge that `make` returns for the reference."""

    async def answer(reference: str, writer: asyncio.StreamWriter) -> None:
        writer.write(http_response(200, {"status": True, "message": "ok", "data": make(reference)}))

    return answer


async def stay_silent(_: str, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def reset_connection(_: str, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def send_half_an_answer(_: str, writer: asyncio.StreamWriter) -> None:
    writer.write(http_response(200, b'{"status":true,"data":{', length=5000))
    writer.close()


async def drip(_: str, writer: asyncio.StreamWriter) -> None:
    """Send a byte at a time, so that no single read times out."""
    writer.write(http_response(200, b"", length=5000))
    for _part in range(100):
        writer.write(b" ")
        await asyncio.sleep(0.05)


class RawServer:
    """Answers every call with `answer`, and counts the calls."""

    def __init__(self) -> None:
        self.answer = answer_with(500, b"")
        self.port = 0
        self.calls = 0
        self._answering: set[asyncio.Task[None]] = set()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._answering.add(task)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                self.calls += 1
                await self.answer(head.split(" ")[1].rpartition("/")[2], writer)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            self._answering.discard(task)

    async def drop_connections(self) -> None:
        """End all connections, answered or not."""
        for task in list(self._answering):
            task.cancel()
        await asyncio.gather(*self._answering, return_exceptions=True)


@asynccontextmanager
async def running_raw_server() -> AsyncIterator[RawServer]:
    """A server on a free port, which ends all its connections at the end."""
    server = RawServer()
    listening = await asyncio.start_server(server.accept, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    yield server
    await server.drop_connections()
    listening.close()
