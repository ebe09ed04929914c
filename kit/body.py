"""Limits on what is read of a body, declared or chunked: how much and for how long. The rest is never read."""

import asyncio
from collections.abc import Mapping

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kit.errors import BodyTooLarge, BodyTooSlow, Problem, problem

BODY_SECONDS = 10.0


class _Cut(Exception):
    pass


class BodyLimit:
    """Counts the bytes of a body as they come, and the seconds: 413 at the first too many, 408 (uvicorn has neither limit of its own).

    `limits` are bytes by path; any other path has `default`. A whole body must be there within `seconds`.
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
        too_large = BodyTooLarge(f"The body is larger than {limit} bytes.")
        for name, value in scope["headers"]:
            if name == b"content-length" and (not value.isdigit() or len(value) > 15 or int(value) > limit):
                await _refusal(too_large)(scope, receive, send)
                return
        deadline = asyncio.get_running_loop().time() + self.seconds
        seen = 0
        whole = answered = False
        cut: Problem | None = None

        async def bounded() -> Message:
            nonlocal seen, whole, cut
            if whole:
                return await receive()  # waits for the client to go away, for as long as the answer takes
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                cut = BodyTooSlow()
                raise _Cut from None
            seen += len(message.get("body", b""))
            if seen > limit:
                cut = too_large
                raise _Cut
            whole = not message.get("more_body", False)
            return message

        async def watched(message: Message) -> None:
            nonlocal answered
            if cut is None or answered:
                answered = True
                await send(message)
            # Else it is what the app makes of half a body, FastAPI's "error parsing the body" for one.

        try:
            await self.app(scope, bounded, watched)
        except Exception:
            if cut is None or answered:
                raise
        if cut is not None and not answered:
            await _refusal(cut)(scope, receive, send)


def _refusal(what: Problem) -> Response:
    # The connection is closed: what is still on its way is not read.
    return problem(what.status, what.code, what.detail, headers={"Connection": "close"})
