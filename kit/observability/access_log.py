"""The access log: one line for each request.

structlog takes 20 µs or more for a JSON line. That is a quarter of a webhook request, so these lines are made from strings that are
encoded once for each route.
"""

import json
import logging
from functools import lru_cache
from typing import Literal

import structlog

from kit.observability.logging import JsonLines, timestamp

UNLOGGED_ROUTES = frozenset({"/livez", "/readyz", "/metrics"})

POLLED_ROUTES = frozenset({"/auth/revocations"})
"""Paths that every process of the services polls every few seconds. A successful poll is logged at level DEBUG."""


class AccessLog:
    """Logs requests at level INFO, in the format of the other log messages, and successful polls at level DEBUG."""

    def __init__(self, service: str, level: str, style: Literal["json", "console"]) -> None:
        self._service = service
        threshold = logging.getLevelNamesMapping()[level]
        self._enabled, self._logs_polls = threshold <= logging.INFO, threshold <= logging.DEBUG
        self._json = style == "json"
        self._lines = JsonLines()
        self._console = structlog.get_logger("http")

    def log(self, method: str, route: str, status: int, seconds: float, request_id: str, trace_id: str) -> None:
        """Log a request. The method, the request id and the trace id must have been validated: they are not escaped."""
        if not self._enabled or route in UNLOGGED_ROUTES:
            return
        is_poll = route in POLLED_ROUTES and status < 400
        if is_poll and not self._logs_polls:
            return
        level = "debug" if is_poll else "info"
        ms = round(seconds * 1000, 2)
        if self._json:
            self._lines.info(
                f'{_line_start(self._service, method, route, status)}{ms}, "event": "request", "request_id": "{request_id}",'
                f' "trace_id": "{trace_id}", "level": "{level}", "ts": "{timestamp()}"}}'
            )
        else:
            log = self._console.debug if is_poll else self._console.info
            log("request", method=method, route=route, status=status, ms=ms)


@lru_cache(maxsize=2048)
def _line_start(service: str, method: str, route: str, status: int) -> str:
    """Return the part of the line that is the same for all requests of a route."""
    fields = {"service": service, "method": method, "route": route, "status": status, "ms": 0}
    return json.dumps(fields).removesuffix("0}")
