"""One log line and one measurement for each request; one request id and one trace through all services."""

import logging
import re
import secrets
import sys
import time
from contextvars import ContextVar
from typing import Any, Literal

import structlog
from prometheus_client import Counter, Histogram
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kit.errors import problem

REQUEST_ID = re.compile(rb"[A-Za-z0-9-]{1,64}")
TRACEPARENT = re.compile(rb"00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
GONE = 499
"""Logged and counted where the client hung up before it had sent its request (nginx's number for it; none is registered)."""

QUIET = frozenset({"/livez", "/readyz", "/metrics"})

lines_lost = Counter("log_lines_lost_total", "Log lines that could not be written")
requests_total = Counter("http_requests_total", "Requests answered", ["method", "route", "status"])
request_seconds = Histogram(
    "http_request_seconds",
    "Time to answer",
    ["method", "route"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
log = structlog.get_logger("http")
_traceparent: ContextVar[str | None] = ContextVar("traceparent", default=None)


def traceparent() -> str | None:
    """The W3C trace context of what is being done now, to be handed on with requests and events."""
    return _traceparent.get()


def sound_trace(value: str | None) -> str | None:
    """The value where it is a trace context, None where it is anything else."""
    return value if value is not None and TRACEPARENT.fullmatch(value.encode("ascii", "replace")) else None


def continue_trace(value: str | None) -> None:
    """Go on with the trace of an event or a stored notice; a new one where it has none."""
    trace = sound_trace(value) or f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
    _traceparent.set(trace)
    structlog.contextvars.bind_contextvars(trace_id=trace[3:35])


class Lines:
    """Where our own JSON lines go: straight to stdout, as a record of the standard library's costs as much as all the rest of a line."""

    def msg(self, line: str) -> None:
        try:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
        except (OSError, ValueError):
            # The disk is full, or nobody reads any more: no payment is undone because it could not be spoken of.
            lines_lost.inc()

    debug = info = warning = error = critical = msg


def configure_logging(level: str, style: Literal["json", "console"], service: str) -> None:
    """JSON lines on stdout, or readable ones; libraries that log through the standard library come out the same way."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts")
        if style == "json"
        else structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False, key="ts"),
    ]
    renderer: list[Any] = (
        [
            # No locals: secrets, tokens and bodies are among them, and rendering them holds up the event loop.
            structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False)),
            lambda _, __, event: {"service": service, **event},
            structlog.processors.JSONRenderer(),
        ]
        if style == "json"
        else [
            structlog.dev.ConsoleRenderer(
                colors=sys.stdout.isatty(),
                timestamp_key="ts",
                pad_event_to=0,
                exception_formatter=structlog.dev.plain_traceback,
            )
        ]
    )
    least = logging.getLevelNamesMapping()[level]
    if style == "json":
        structlog.configure(
            processors=[*shared, *renderer],
            logger_factory=lambda *_: Lines(),
            wrapper_class=structlog.make_filtering_bound_logger(least),
            cache_logger_on_first_use=True,
        )
    else:
        structlog.configure(
            processors=[
                structlog.stdlib.filter_by_level,
                *shared,
                structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
            ],
            logger_factory=structlog.stdlib.LoggerFactory(),
            wrapper_class=structlog.stdlib.BoundLogger,
            cache_logger_on_first_use=True,
        )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer]
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for chatty in ("httpx", "httpcore", "uvicorn.error", "alembic"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, least))
    for said_by_us in ("aiormq", "aio_pika"):  # whoever uses the connection logs how it ended
        logging.getLogger(said_by_us).setLevel(logging.CRITICAL)


class Telemetry:
    """Pure ASGI middleware, outermost: request id, trace, time, log line, metrics, and a problem+json for what nobody caught."""

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
        chance = secrets.token_hex(40)  # asked of the system once for all three
        request_id = given_id.decode() if REQUEST_ID.fullmatch(given_id) else chance[48:]
        trace = given_trace.decode() if TRACEPARENT.fullmatch(given_trace) else f"00-{chance[:32]}-{chance[32:48]}-01"
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id, trace_id=trace[3:35])
        _traceparent.set(trace)
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                headers["X-Process-Time"] = f"{time.perf_counter() - started:.6f}"
            await send(message)

        try:
            await self.app(scope, receive, answer)
        except ClientDisconnect:
            status = status or GONE  # nobody is there to be answered
        except Exception:
            log.exception("unhandled", method=scope["method"], path=scope["path"][:200])
            if status:
                raise
            await problem(
                500, "internal_error", "Something went wrong on our side; the request id finds it in the log."
            )(scope, receive, answer)
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
        if route not in QUIET:
            log.info("request", method=method, route=route, status=status, ms=round(seconds * 1000, 2))
