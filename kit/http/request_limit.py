"""A limit on the number of requests that a process works on at the same time."""

from starlette.types import ASGIApp, Receive, Scope, Send

from kit.errors import Unavailable

MAX_REQUESTS = 1000
READING_SHARE = 0.75
"""The largest share of these requests that may be GET or HEAD. The rest is kept for requests that pay and order."""

READING_METHODS = frozenset({"GET", "HEAD"})
EXEMPT_PATHS = frozenset({"/livez", "/readyz", "/metrics"})
"""Health checks show that the process works, however many requests it has."""


class RequestLimit:
    """ASGI middleware that answers 503 while `limit` requests are being processed. It also answers 503 to GET and HEAD requests while
    READING_SHARE of `limit` are GET and HEAD requests.

    So clients that read much, or that wait for the page after a payment, do not keep others from paying. It counts requests, not
    connections, and is behind BodyLimit, so it does not count requests whose body is still arriving. Routes of class UnparsedRoute are
    served before it: they have limits of their own.
    """

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self.app = app
        self.limit = limit
        self.reading_limit = max(1, int(limit * READING_SHARE))
        self.running = 0
        self.reading = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in EXEMPT_PATHS:
            await self.app(scope, receive, send)
            return
        reads = scope["method"] in READING_METHODS
        if self.running >= self.limit or (reads and self.reading >= self.reading_limit):
            problem = Unavailable("The service has too many requests at the moment. Try again in a moment.")
            await problem.response()(scope, receive, send)
            return
        self.running += 1
        self.reading += reads
        try:
            await self.app(scope, receive, send)
        finally:
            self.running -= 1
            self.reading -= reads
