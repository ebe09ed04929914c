"""catalog as payments sees it: GET /catalog/orders/:id."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx
import jwt


@dataclass
class FakeCatalog(httpx.AsyncBaseTransport):
    """Use it as the transport of payments' catalog client. `answer` replaces every answer while it is set.

    An order belongs to each account that asks for it, unless it was added with a `customer`.
    """

    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    answer: httpx.Response | Exception | None = None
    calls: list[httpx.Request] = field(default_factory=list)

    def add_order(
        self,
        order_id: str | None = None,
        *,
        amount: int = 50_000,
        status: str = "pending",
        currency: str = "NGN",
        **fields: Any,
    ) -> str:
        """Add an order, with further `fields`, and return its id."""
        order_id = order_id or str(uuid4())
        self.orders[order_id] = {
            "id": order_id,
            "status": status,
            "amount": amount,
            "currency": currency,
            "items": [],
            **fields,
        }
        return order_id

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.calls.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is not None:
            return httpx.Response(self.answer.status_code, content=self.answer.content)
        order = self.orders.get(request.url.path.rpartition("/")[2])
        if order is None:
            return httpx.Response(404, json={})
        return httpx.Response(200, json={"customer": {"id": _subject(request)}, **order})


def _subject(request: httpx.Request) -> str:
    """Return who sent a request, from its access token; a token that is no JWT is its own subject."""
    token = request.headers["Authorization"].removeprefix("Bearer ")
    try:
        return str(jwt.decode(token, options={"verify_signature": False})["sub"])
    except jwt.DecodeError:
        return str(token)


@asynccontextmanager
async def serve_orders(catalog: FakeCatalog, token: str) -> AsyncIterator[str]:
    """Serve a fake catalog over HTTP, for processes that cannot use its transport. Yield its URL. Any other token is answered 401."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        path = head.split(" ")[1]
        allowed = f"authorization: bearer {token}" in head.lower()
        response = await catalog.handle_async_request(
            httpx.Request("GET", f"http://catalog.test{path}", headers={"Authorization": f"Bearer {token}"})
        )
        body = response.content if allowed else b"{}"
        status = response.status_code if allowed else 401
        writer.write(f"HTTP/1.1 {status} x\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
