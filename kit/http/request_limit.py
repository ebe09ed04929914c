"""A limit on the number of requests that a process works on at the same time."""

from starlette.types import ASGIApp, Receive, Scope, Send

from kit.errors import Unavailable

MAX_REQUESTS = 1000
EXEMPT_PATHS = frozenset({"/livez", "/readyz", "/metrics"})
"""Health checks show that the process works, however many requests it has."""


class RequestLimit:
    """ASGI middleware that raises Unavailable while `limit` requests are being processed.

    It counts requests, not connections, and is behind BodyLimit, so it does not count requests whose body is still arriving. Routes of
    class DirectRoute are served before it: they have limits of their own.
    """

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self.app = app
        self.limit = limit
        self.running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in EXEMPT_PATHS:
            await self.app(scope, receive, send)
            return
        if self.running >= self.limit:
            problem = Unavailable("The service has too many requests at the moment. Try again in a moment.")
            await problem.response()(scope, receive, send)
            return
        self.running += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self.running -= 1
