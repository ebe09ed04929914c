"""A limit on what is read of a body: declared or chunked, the rest is never read."""

from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kit.errors import BodyTooLarge, problem


class _Exceeded(Exception):
    pass


class BodyLimit:
    """Counts the bytes of a body as they come and answers 413 at the first too many (uvicorn has no limit of its own).

    `limits` are bytes by path; any other path has `default`.
    """

    def __init__(self, app: ASGIApp, default: int = 64 * 1024, limits: Mapping[str, int] | None = None) -> None:
        self.app = app
        self.default = default
        self.limits = dict(limits or {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = self.limits.get(scope["path"], self.default)
        for name, value in scope["headers"]:
            if name == b"content-length" and (not value.isdigit() or len(value) > 15 or int(value) > limit):
                await self._refuse(scope, receive, send, limit)
                return
        seen = 0
        answered = False

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            if message["type"] == "http.request":
                seen += len(message.get("body", b""))
                if seen > limit:
                    raise _Exceeded
            return message

        async def watched(message: Message) -> None:
            nonlocal answered
            answered = True
            await send(message)

        try:
            await self.app(scope, counted, watched)
        except _Exceeded:
            if answered:
                raise
            await self._refuse(scope, receive, send, limit)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send, limit: int) -> None:
        # The connection is closed: what is still on its way is not read.
        answer = problem(
            413, BodyTooLarge.code, f"The body is larger than {limit} bytes.", headers={"Connection": "close"}
        )
        await answer(scope, receive, send)
