"""Limits on the size of request bodies, declared or chunked, and on the time they take to arrive."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kit.errors import BodyTooLarge, BodyTooSlow, Problem, problem_response

BODY_SECONDS = 10.0
DRAINED_BYTES = 2 * 1024 * 1024
DRAIN_SECONDS = 1.0


class _Cut(Exception):
    pass


class BodyLimit:
    """ASGI middleware that answers 413 to a body that is too large and 408 to one that takes too long. uvicorn has neither limit.

    `limits`: maximum sizes in bytes by path; other paths have `default`. The complete body must arrive within `seconds`.
    """

    def __init__(
        self,
        app: ASGIApp,
        default: int = 64 * 1024,
        limits: Mapping[str, int] | None = None,
        seconds: float = BODY_SECONDS,
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
                await _refuse(too_large, scope, receive, send, whole=False)
                return
        deadline = asyncio.get_running_loop().time() + self.seconds
        seen = 0
        whole = answered = False
        cut: Problem | None = None

        async def bounded() -> Message:
            nonlocal seen, whole, cut
            if whole:
                return await receive()  # waits for the client to disconnect, until the response is complete
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                cut = BodyTooSlow()
                raise _Cut from None
            seen += len(message.get("body", b""))
            whole = not message.get("more_body", False)
            if seen > limit:
                cut = too_large
                raise _Cut
            return message

        async def watched(message: Message) -> None:
            nonlocal answered
            if cut is None or answered:
                answered = True
                await send(message)
            # Otherwise it is the reaction of the app to half a body, such as FastAPI's "error parsing the body".

        try:
            await self.app(scope, bounded, watched)
        except Exception:
            if cut is None or answered:
                raise
        if cut is not None and not answered:
            await _refuse(cut, scope, receive, send, whole=whole or cut is not too_large)


async def _refuse(what: Problem, scope: Scope, receive: Receive, send: Send, *, whole: bool) -> None:
    async def unfinished(message: Message) -> None:
        await send({**message, "more_body": True} if message["type"] == "http.response.body" else message)

    answer = problem_response(what.status, what.code, what.detail, headers={"Connection": "close"})
    await answer(scope, receive, unfinished)
    # Closing a socket with unread bytes resets the connection, and the response may be lost. So a little more is read and dropped.
    with suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_SECONDS):
            dropped = 0
            while not whole and dropped < DRAINED_BYTES:
                message = await receive()
                dropped += len(message.get("body", b""))
                whole = not message.get("more_body", False)
    await send({"type": "http.response.body", "body": b"", "more_body": False})
