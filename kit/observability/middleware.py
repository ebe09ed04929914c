"""Request id, trace, duration, log message and metrics of each request."""

import re
import secrets
import time
from functools import lru_cache

import structlog
from prometheus_client import Counter, Histogram
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kit.errors import problem_response
from kit.observability.access_log import AccessLog
from kit.observability.metrics import request_duration, requests_total
from kit.observability.tracing import TRACEPARENT, start_request, trace_id

log = structlog.get_logger("http")

REQUEST_ID = re.compile(rb"[A-Za-z0-9-]{1,64}")

CLIENT_CLOSED_REQUEST = 499
"""The status of a request whose client disconnected before it had sent the whole request. nginx uses 499 for this; there is no standard."""

NO_STORE = (b"cache-control", b"no-store")

METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})


class Telemetry:
    """ASGI middleware. Only CORS may be outside of it.

    Adds X-Request-ID and X-Process-Time, and `Cache-Control: no-store` unless the route has set Cache-Control. Starts or continues the
    trace, logs and counts the request, and answers unhandled errors with problem+json. Without an access log (in workers, which only serve
    health checks), requests are not logged.
    """

    def __init__(self, app: ASGIApp, access_log: AccessLog | None = None) -> None:
        self.app = app
        self.access_log = access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id, trace = _request_id_and_trace(scope)
        start_request(request_id, trace)
        status = 0

        async def send_response(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _add_headers(message, request_id, time.perf_counter() - started)
            await send(message)

        try:
            await self.app(scope, receive, send_response)
        except ClientDisconnect:
            status = status or CLIENT_CLOSED_REQUEST
        except Exception:
            # For a known route, log its template, not the requested path: a parameter may be a secret, such as the status token of an
            # order.
            path = getattr(scope.get("route"), "path", scope["path"][:200])
            log.exception("unhandled error", method=scope["method"], path=path)
            if status:
                raise
            await problem_response(
                500,
                "internal_error",
                "The server failed to process the request. Try again later; if this happens again, report the request_id.",
            )(scope, receive, send_response)
        finally:
            self._record(scope, status, time.perf_counter() - started, request_id, trace_id(trace))

    def _record(self, scope: Scope, status: int, seconds: float, request_id: str, trace_id: str) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        method = scope["method"] if scope["method"] in METHODS else "OTHER"
        requests, duration = _metrics(method, route, status)
        requests.inc()
        duration.observe(seconds)
        if self.access_log is not None:
            self.access_log.log(method, route, status, seconds, request_id, trace_id)


def _add_headers(start: Message, request_id: str, seconds: float) -> None:
    """Add the headers of each response. As in all ASGI messages, the names of those that it has are in lower case."""
    headers = [*start.get("headers", ())]
    if not any(name == b"cache-control" for name, _ in headers):
        headers.append(NO_STORE)
    headers.append((b"x-request-id", request_id.encode()))
    headers.append((b"x-process-time", b"%.6f" % seconds))
    start["headers"] = headers


@lru_cache(maxsize=2048)
def _metrics(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    """Return the metrics with these labels. Looking up labels takes longer than counting."""
    return requests_total.labels(method, route, status), request_duration.labels(method, route)


def _request_id_and_trace(scope: Scope) -> tuple[str, str]:
    """Return the request id and the trace context that the client sent, or new ones."""
    client_request_id = client_traceparent = b""
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            client_request_id = value
        elif name == b"traceparent":
            client_traceparent = value
    random_hex = secrets.token_hex(40)  # one system call for the request id, trace id and span id
    request_id = client_request_id.decode() if REQUEST_ID.fullmatch(client_request_id) else random_hex[48:]
    if TRACEPARENT.fullmatch(client_traceparent):
        return request_id, client_traceparent.decode()
    return request_id, f"00-{random_hex[:32]}-{random_hex[32:48]}-01"
