"""Limits on the size of request bodies, with or without Content-Length, and on the time they take to arrive."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kit.errors import BodyTooLarge, BodyTooSlow, Problem, problem_response

MAX_BODY_SECONDS = 10.0
MAX_DROPPED_BYTES = 2 * 1024 * 1024
MAX_DROP_SECONDS = 1.0


class _BodyRefused(Exception):
    """Ends the app's processing of a request whose body was refused."""


class BodyLimit:
    """ASGI middleware that answers 413 to a body that is too large and 408 to a body that arrives too slowly. uvicorn has neither limit.

    `limits`: maximum sizes in bytes by path; `default` is the maximum for other paths. The complete body must arrive within `seconds`.
    """

    def __init__(
        self,
        app: ASGIApp,
        default: int = 64 * 1024,
        limits: Mapping[str, int] | None = None,
        seconds: float = MAX_BODY_SECONDS,
    ) -> None:
        self.app = app
        self.default = default
        self.limits = dict(limits or {})
        self.seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = self.limits.get(scope["path"], self.default)
        too_large = BodyTooLarge(f"The request body is larger than {limit} bytes.")
        for name, value in scope["headers"]:
            if name == b"content-length" and (not value.isdigit() or len(value) > 15 or int(value) > limit):
                await _refuse(too_large, scope, receive, send, body_complete=False)
                return
        deadline = asyncio.get_running_loop().time() + self.seconds
        received_bytes = 0
        body_complete = answered = False
        refusal: Problem | None = None

        async def limited_receive() -> Message:
            nonlocal received_bytes, body_complete, refusal
            if body_complete:
                return await receive()  # returns when the client disconnects or the response is complete
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                refusal = BodyTooSlow()
                raise _BodyRefused from None
            received_bytes += len(message.get("body", b""))
            body_complete = not message.get("more_body", False)
            if received_bytes > limit:
                refusal = too_large
                raise _BodyRefused
            return message

        async def filtered_send(message: Message) -> None:
            nonlocal answered
            if refusal is None or answered:
                answered = True
                await send(message)
            # Else drop the app's response to the incomplete body, such as FastAPI's "error parsing the body".

        try:
            await self.app(scope, limited_receive, filtered_send)
        except Exception:
            if refusal is None or answered:
                raise
        if refusal is not None and not answered:
            # Do not wait for the rest of a slow body: call `_refuse` as if the body were complete.
            await _refuse(refusal, scope, receive, send, body_complete=body_complete or refusal is not too_large)


async def _refuse(problem: Problem, scope: Scope, receive: Receive, send: Send, *, body_complete: bool) -> None:
    """Answer with `problem`, then read and drop the rest of the body within limits."""

    async def send_without_end(message: Message) -> None:
        await send({**message, "more_body": True} if message["type"] == "http.response.body" else message)

    response = problem_response(problem.status, problem.code, problem.detail, headers={"Connection": "close"})
    await response(scope, receive, send_without_end)
    # Closing a socket with unread bytes resets the connection, and the client may not get the response. So read and drop some bytes.
    with suppress(TimeoutError):
        async with asyncio.timeout(MAX_DROP_SECONDS):
            dropped_bytes = 0
            while not body_complete and dropped_bytes < MAX_DROPPED_BYTES:
                message = await receive()
                dropped_bytes += len(message.get("body", b""))
                body_complete = not message.get("more_body", False)
    await send({"type": "http.response.body", "body": b"", "more_body": False})
