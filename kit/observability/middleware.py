"""The outermost middleware: request id, trace, duration, one log line and one measurement for each request."""

import re
import secrets
import time

import structlog
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kit.errors import problem_response
from kit.observability.metrics import request_seconds, requests_total
from kit.observability.tracing import TRACEPARENT, start_trace

log = structlog.get_logger("http")


REQUEST_ID = re.compile(rb"[A-Za-z0-9-]{1,64}")


CLIENT_CLOSED_REQUEST = 499
"""Logged and counted if the client disconnected before it had sent its request (nginx's status for it; none is registered)."""


UNLOGGED_ROUTES = frozenset({"/livez", "/readyz", "/metrics"})


class Telemetry:
    """Pure ASGI middleware, outermost.

    Adds X-Request-ID and X-Process-Time, starts or continues the trace, logs and measures the request, and answers unhandled errors with
    problem+json.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        given_id = given_trace = b""
        for name, value in scope["headers"]:
            if name == b"x-request-id":
                given_id = value
            elif name == b"traceparent":
                given_trace = value
        chance = secrets.token_hex(40)  # one system call for all three ids
        request_id = given_id.decode() if REQUEST_ID.fullmatch(given_id) else chance[48:]
        trace = given_trace.decode() if TRACEPARENT.fullmatch(given_trace) else f"00-{chance[:32]}-{chance[32:48]}-01"
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        start_trace(trace)
        status = 0

        async def send_response(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                headers["X-Process-Time"] = f"{time.perf_counter() - started:.6f}"
            await send(message)

        try:
            await self.app(scope, receive, send_response)
        except ClientDisconnect:
            status = status or CLIENT_CLOSED_REQUEST  # there is no client left to answer
        except Exception:
            log.exception("unhandled error", method=scope["method"], path=scope["path"][:200])
            if status:
                raise
            await problem_response(
                500,
                "internal_error",
                "Something went wrong on our side. Try again later; if it persists, report the request_id.",
            )(scope, receive, send_response)
        finally:
            self._record(scope, status, time.perf_counter() - started)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        method = (
            scope["method"]
            if scope["method"] in {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"}
            else "OTHER"
        )
        requests_total.labels(method, route, status).inc()
        request_seconds.labels(method, route).observe(seconds)
        if route not in UNLOGGED_ROUTES:
            log.info("request", method=method, route=route, status=status, ms=round(seconds * 1000, 2))
