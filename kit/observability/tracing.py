"""The W3C trace context (https://www.w3.org/TR/trace-context/) of the current request, event or inbox entry."""

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import structlog

TRACEPARENT = re.compile(rb"00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")

_current: ContextVar[str | None] = ContextVar("traceparent", default=None)


def traceparent() -> str | None:
    """Return the trace context of the current task, to be sent with requests and events."""
    return _current.get()


def valid_traceparent(value: object) -> str | None:
    """Return `value` if it is a trace context, else None."""
    return value if isinstance(value, str) and TRACEPARENT.fullmatch(value.encode("ascii", "replace")) else None


def trace_id(traceparent: str) -> str:
    """Return the trace id of a valid trace context."""
    return traceparent[3:35]


def trace_id_of(value: str | None) -> str | None:
    """Return the trace id of a stored trace context, or None if there is none."""
    return None if value is None else trace_id(value)


def start_request(request_id: str, traceparent: str) -> None:
    """Use a valid trace context until the end of the current task. Log messages carry the `request_id` and the `trace_id`."""
    _current.set(traceparent)
    structlog.contextvars.bind_contextvars(request_id=request_id, trace_id=trace_id(traceparent))


@contextmanager
def continue_trace(value: str | None) -> Iterator[None]:
    """Continue the trace of an event, an inbox entry or a payment inside the `with` block. Log messages carry its `trace_id`.

    If `value` is not a valid trace context, continue the current trace, or start a new trace if there is none.
    """
    trace = valid_traceparent(value) or _current.get() or new_traceparent()
    token = _current.set(trace)
    try:
        with structlog.contextvars.bound_contextvars(trace_id=trace_id(trace)):
            yield
    finally:
        _current.reset(token)


def new_traceparent() -> str:
    """Return the context of a new trace."""
    random_hex = secrets.token_hex(24)
    return f"00-{random_hex[:32]}-{random_hex[32:]}-01"
