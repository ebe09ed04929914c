import asyncio
from collections import deque
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from starlette.datastructures import Headers


@dataclass(frozen=True, slots=True)
class Received:
    headers: Headers
    body: bytes

    @property
    def signature(self) -> str | None:
        return self.headers.get("x-paystack-signature")


class Receiver:
    """A merchant's webhook endpoint on a real socket: keeps what comes, and answers as it is told."""

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self.received: list[Received] = []
        self.answers: deque[int] = deque()
        """The next statuses; 200 when there are none."""
        self.held: set[bytes] = set()
        """A delivery whose body holds one of these is never answered."""
        self._more = asyncio.Condition()
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/webhooks"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._connections:
            writer.close()
        await self._server.wait_closed()

    async def wait(self, count: int, seconds: float = 10) -> list[Received]:
        """Until `count` deliveries have come."""
        async with asyncio.timeout(seconds), self._more:
            await self._more.wait_for(lambda: len(self.received) >= count)
        return self.received

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[1:-2]
                pairs: list[tuple[bytes, bytes]] = []
                for line in head:
                    name, _, value = line.partition(b":")
                    pairs.append((name.lower(), value.strip()))
                headers = Headers(raw=pairs)
                body = await reader.readexactly(int(headers["content-length"]))
                async with self._more:
                    self.received.append(Received(headers, body))
                    self._more.notify_all()
                if any(mark in body for mark in self.held):
                    await reader.read()
                    return
                status = self.answers.popleft() if self.answers else 200
                writer.write(b"HTTP/1.1 %d Whatever\r\ncontent-length: 2\r\n\r\nok" % status)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._connections.discard(writer)
            writer.close()
