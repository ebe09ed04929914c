"""Write log messages to stdout, as JSON or as readable text."""

import asyncio
import json
import logging
import sys
import time
from collections import deque
from contextlib import suppress
from functools import lru_cache
from typing import Any, ClassVar, Literal

import structlog
from prometheus_client import Counter

MAX_WAITING_LINES = 1000

lines_lost = Counter("log_lines_lost_total", "Log lines that could not be written")


class JsonLines:
    """Writes JSON lines to stdout. Records of the standard library's logging would double the cost of a line.

    Lines of the levels DEBUG and INFO are written at the end of the current turn of the event loop, all with one system call, because the
    system call is the larger part of a line's cost, for this process and for the one that reads the lines. A process that is killed loses
    the lines of its last turn. Lines of the higher levels are written at once, after the lines that wait.
    """

    _waiting: ClassVar[deque[str]] = deque()
    """The lines that wait, in their sequence. All instances write to the same stdout, and threads without an event loop too."""

    _writer: ClassVar[asyncio.AbstractEventLoop | None] = None
    """The event loop that will write the lines that wait."""

    def info(self, line: str) -> None:
        """Write a line at the end of this turn of the event loop; at once if none is running, or if many lines wait."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.warning(line)
            return
        self._waiting.append(line)
        if len(self._waiting) >= MAX_WAITING_LINES:
            self._write_waiting()
        elif JsonLines._writer is not loop:
            JsonLines._writer = loop
            loop.call_soon(self._write_waiting)

    def warning(self, line: str) -> None:
        """Write a line at once, after the lines that wait. Counts them as lost if stdout cannot be written."""
        self._waiting.append(line)
        self._write_waiting()

    debug = info
    error = critical = warning

    def _write_waiting(self) -> None:
        JsonLines._writer = None
        lines = []
        with suppress(IndexError):
            while True:
                lines.append(self._waiting.popleft())
        if not lines:
            return
        try:
            sys.stdout.write("".join(line + "\n" for line in lines))
            sys.stdout.flush()
        except (OSError, ValueError):
            # The disk is full or the pipe is closed. A payment must not fail because a log line cannot be written.
            lines_lost.inc(len(lines))


def configure_logging(level: str, style: Literal["json", "console"], service: str) -> None:
    """Log to stdout as JSON or readable lines. Libraries that use the standard library's logging get the same format."""
    min_level = logging.getLevelNamesMapping()[level]
    if style == "json":
        common_processors = _common_processors(lambda _, __, event: {**event, "ts": timestamp()})
        renderer = _json_renderer(service)
        structlog.configure(
            processors=[*common_processors, *renderer],
            logger_factory=lambda *_: JsonLines(),
            wrapper_class=structlog.make_filtering_bound_logger(min_level),
            cache_logger_on_first_use=True,
        )
    else:
        common_processors = _common_processors(structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False, key="ts"))
        renderer = _console_renderer()
        structlog.configure(
            processors=[
                structlog.stdlib.filter_by_level,
                *common_processors,
                structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
            ],
            logger_factory=structlog.stdlib.LoggerFactory(),
            wrapper_class=structlog.stdlib.BoundLogger,
            cache_logger_on_first_use=True,
        )
    _configure_standard_logging(min_level, common_processors, renderer)


def timestamp() -> str:
    """Return the current time in UTC, in ISO 8601 with microseconds. Formatting only the microseconds takes a third of the time."""
    seconds, microseconds = divmod(time.time_ns() // 1000, 1_000_000)
    return f"{_format_second(seconds)}.{microseconds:06d}Z"


@lru_cache(maxsize=1)
def _format_second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def _common_processors(add_timestamp: structlog.typing.Processor) -> list[Any]:
    return [structlog.contextvars.merge_contextvars, structlog.processors.add_log_level, add_timestamp]


def _json_renderer(service: str) -> list[Any]:
    encode = json.JSONEncoder(default=repr).encode  # json.dumps with `default` makes an encoder for each line
    return [
        # Do not log local variables: they include secrets, tokens and bodies, and rendering them blocks the event loop.
        structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False)),
        lambda _, __, event: encode({"service": service, **event}),
    ]


def _console_renderer() -> list[Any]:
    return [
        structlog.dev.ConsoleRenderer(
            colors=sys.stdout.isatty(),
            timestamp_key="ts",
            pad_event_to=0,
            sort_keys=False,
            exception_formatter=structlog.dev.plain_traceback,
        )
    ]


def _configure_standard_logging(min_level: int, common_processors: list[Any], renderer: list[Any]) -> None:
    """Give the log records of libraries the same format, and drop most of them."""
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=common_processors,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(min_level)
    for name in ("httpx", "httpcore", "uvicorn.error", "alembic"):
        logging.getLogger(name).setLevel(max(logging.WARNING, min_level))
    for name in ("aiormq", "aio_pika"):  # our jobs log it when they lose a connection
        logging.getLogger(name).setLevel(logging.CRITICAL)
