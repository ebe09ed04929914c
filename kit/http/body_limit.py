"""Limits on the size of request bodies, with or without Content-Length, and on the time they take to arrive."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kit.errors import BodyTooLarge, BodyTooSlow, Problem, Unavailable

MAX_BODY_SECONDS = 10.0
DEFAULT_BYTES = 64 * 1024
FREE_BYTES = 8 * 1024
"""A body of at most this size is accepted even if the shared memory is full. Orders, payments and nearly all webhooks are smaller. On 2,000
connections (server_protocol.py), bodies use at most 16 MiB in this way."""

MAX_SHARED_BYTES = 64 * 1024 * 1024
"""The shared memory: the maximum sum, over all bodies that are arriving or being processed, of the bytes after their first FREE_BYTES."""

MAX_DROPPED_BYTES = 2 * 1024 * 1024
MAX_DROP_SECONDS = 1.0


class BodyLimit:
    """ASGI middleware that reads the body, then calls the app. Answers 413 to a body that is too large, and 408 to one that is too slow.

    `limits`: maximum sizes in bytes by path; `default` is the maximum for other paths. The complete body must arrive within `seconds`.
    A body of more than FREE_BYTES is answered with 503 while others fill `shared` bytes. uvicorn has no such limits.
    """

    def __init__(
        self,
        app: ASGIApp,
        default: int = DEFAULT_BYTES,
        limits: Mapping[str, int] | None = None,
        seconds: float = MAX_BODY_SECONDS,
        shared: int = MAX_SHARED_BYTES,
    ) -> None:
        self.app = app
        self.default = default
        self.limits = dict(limits or {})
        self.seconds = seconds
        self.shared_left = shared

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _has_body(scope):
            await self.app(scope, receive, send)
            return
        body = _Body(self.limits.get(scope["path"], self.default))
        try:
            try:
                body.check_declared_length(scope)
                async with asyncio.timeout(self.seconds):
                    await self._read(body, receive)
            except TimeoutError:
                await _refuse(BodyTooSlow(), scope, receive, send, drop=False)
            except Problem as problem:
                await _refuse(problem, scope, receive, send, drop=not body.complete)
            else:
                await self.app(scope, body.receive_then(receive), send)
        finally:
            self.shared_left += body.shared_taken

    async def _read(self, body: "_Body", receive: Receive) -> None:
        while not body.complete:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            more_shared = body.add(message)
            if more_shared > self.shared_left:
                raise Unavailable(
                    "The service is receiving too many large requests at the moment. Try again in a moment."
                )
            self.shared_left -= more_shared
            body.shared_taken += more_shared


class _Body:
    """A request body of at most `limit` bytes. `shared_taken`: the number of bytes that it takes of the shared memory."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.data = bytearray()  # not a list of parts: a part of one byte would take fifty
        self.shared_taken = 0
        self.complete = self.delivered = False

    def check_declared_length(self, scope: Scope) -> None:
        """Raise BodyTooLarge if Content-Length is over the limit."""
        for name, value in scope["headers"]:
            if name == b"content-length" and (not value.isdigit() or len(value) > 15 or int(value) > self.limit):
                raise self.too_large()

    def add(self, message: Message) -> int:
        """Add a part of the body. Return how many more bytes it needs of the shared memory. Raises BodyTooLarge."""
        self.data += message.get("body", b"")
        self.complete = not message.get("more_body", False)
        if len(self.data) > self.limit:
            raise self.too_large()
        return max(0, len(self.data) - FREE_BYTES - self.shared_taken)

    def too_large(self) -> Problem:
        """Return the error for this limit."""
        return BodyTooLarge(f"The request body is larger than {self.limit} bytes. Send less data in one request.")

    def receive_then(self, receive: Receive) -> Receive:
        """Return a function for the app that returns the body, then calls `receive`, which returns when the client disconnects."""

        async def receive_body() -> Message:
            if self.delivered:
                return await receive()
            self.delivered = True
            body = bytes(self.data)
            self.data.clear()
            return {"type": "http.request", "body": body, "more_body": False}

        return receive_body


def _has_body(scope: Scope) -> bool:
    return any(name in {b"content-length", b"transfer-encoding"} for name, _ in scope["headers"])


async def _refuse(problem: Problem, scope: Scope, receive: Receive, send: Send, *, drop: bool) -> None:
    """Answer with `problem`; with `drop`, read and drop the rest of the body within limits; then close the connection."""

    async def send_without_end(message: Message) -> None:
        await send({**message, "more_body": True} if message["type"] == "http.response.body" else message)

    problem.headers["Connection"] = "close"
    await problem.response()(scope, receive, send_without_end)
    # Closing a socket with unread bytes resets the connection, and the client may not get the response. So read and drop some bytes.
    with suppress(TimeoutError):
        async with asyncio.timeout(MAX_DROP_SECONDS):
            dropped_bytes = 0
            while drop and dropped_bytes < MAX_DROPPED_BYTES:
                message = await receive()
                dropped_bytes += len(message.get("body", b""))
                drop = message.get("more_body", False)
    await send({"type": "http.response.body", "body": b"", "more_body": False})
