"""Log lines: JSON or readable, on stdout."""

import logging
import sys
from typing import Any, Literal

import structlog
from prometheus_client import Counter

lines_lost = Counter("log_lines_lost_total", "Log lines that could not be written")


class JsonLines:
    """Writes JSON lines to stdout. A log record of the standard library would double the cost of a line."""

    def msg(self, line: str) -> None:
        try:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
        except (OSError, ValueError):
            # The disk is full or the pipe is closed. A payment must not fail because it cannot be logged.
            lines_lost.inc()

    debug = info = warning = error = critical = msg


def configure_logging(level: str, style: Literal["json", "console"], service: str) -> None:
    """Log to stdout as JSON or readable lines. Libraries that use the standard library's logging get the same format."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts")
        if style == "json"
        else structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False, key="ts"),
    ]
    renderer: list[Any] = (
        [
            # Without local variables: they include secrets, tokens and bodies, and rendering them blocks the event loop.
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
            logger_factory=lambda *_: JsonLines(),
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
    for silent in ("aiormq", "aio_pika"):  # our jobs log the loss of their connections themselves
        logging.getLogger(silent).setLevel(logging.CRITICAL)
