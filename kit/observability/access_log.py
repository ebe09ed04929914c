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


class AccessLog:
    """Logs requests at level INFO, in the format of the other log messages."""

    def __init__(self, service: str, level: str, style: Literal["json", "console"]) -> None:
        self._service = service
        self._enabled = logging.getLevelNamesMapping()[level] <= logging.INFO
        self._json = style == "json"
        self._lines = JsonLines()
        self._console = structlog.get_logger("http")

    def log(self, method: str, route: str, status: int, seconds: float, request_id: str, trace_id: str) -> None:
        """Log a request. The method, the request id and the trace id must have been validated: they are not escaped."""
        if not self._enabled or route in UNLOGGED_ROUTES:
            return
        ms = round(seconds * 1000, 2)
        if self._json:
            self._lines.msg_later(
                f'{_line_start(self._service, method, route, status)}{ms}, "event": "request", "request_id": "{request_id}",'
                f' "trace_id": "{trace_id}", "level": "info", "ts": "{timestamp()}"}}'
            )
        else:
            self._console.info("request", method=method, route=route, status=status, ms=ms)


@lru_cache(maxsize=2048)
def _line_start(service: str, method: str, route: str, status: int) -> str:
    """Return the part of the line that is the same for all requests of a route."""
    fields = {"service": service, "method": method, "route": route, "status": status, "ms": 0}
    return json.dumps(fields).removesuffix("0}")
