"""The W3C trace context of the current request or message."""

import re
import secrets
from contextvars import ContextVar

import structlog

TRACEPARENT = re.compile(rb"00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


_traceparent: ContextVar[str | None] = ContextVar("traceparent", default=None)


def traceparent() -> str | None:
    """The W3C trace context of what is being done now, to be handed on with requests and events."""
    return _traceparent.get()


def valid_traceparent(value: str | None) -> str | None:
    """The value where it is a trace context, None where it is anything else."""
    return value if value is not None and TRACEPARENT.fullmatch(value.encode("ascii", "replace")) else None


def continue_trace(value: str | None) -> None:
    """Go on with the trace of an event or a stored notice; a new one where it has none."""
    trace = valid_traceparent(value) or f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
    _traceparent.set(trace)
    structlog.contextvars.bind_contextvars(trace_id=trace[3:35])
