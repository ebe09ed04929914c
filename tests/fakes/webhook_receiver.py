import asyncio
import hashlib
import hmac
from collections import deque
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from starlette.datastructures import Headers


def signature_of(body: bytes, key: str) -> str:
    """Compute the signature that a merchant expects of a webhook: HMAC-SHA512 of the body, in lowercase hex."""
    return hmac.new(key.encode(), body, hashlib.sha512).hexdigest()


@dataclass(frozen=True, slots=True)
class ReceivedWebhook:
    headers: Headers
    body: bytes

    @property
    def signature(self) -> str | None:
        return self.headers.get("x-paystack-signature")


class WebhookReceiver:
    """A merchant's webhook endpoint on a real socket: records every webhook, and answers with the statuses in `answers`."""

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self.received: list[ReceivedWebhook] = []
        self.answers: deque[int] = deque()
        """Statuses of the next responses; 200 when it is empty."""
        self.unanswered: set[bytes] = set()
        """Webhooks whose body contains one of these get no response."""
        self._changed = asyncio.Condition()
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

    async def wait(self, count: int, seconds: float = 30) -> list[ReceivedWebhook]:
        """Wait until `count` webhooks were received, and return all of them."""
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(lambda: len(self.received) >= count)
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
                async with self._changed:
                    self.received.append(ReceivedWebhook(headers, body))
                    self._changed.notify_all()
                if any(text in body for text in self.unanswered):
                    await reader.read()
                    return
                status = self.answers.popleft() if self.answers else 200
                writer.write(b"HTTP/1.1 %d Status\r\ncontent-length: 2\r\n\r\nok" % status)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._connections.discard(writer)
            writer.close()
