"""The load generator: prepared requests over persistent connections, in a process of its own.

An ordinary HTTP client uses more CPU than the server that it measures; this one only writes bytes and counts answers.
"""

import asyncio
import signal
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import uvloop

from bench.webhook_events import WebhookEvents
from dev.process.launcher import die_with_parent

MAX_EXTRA_SECONDS = 60.0
"""Time limit for the answers to the last requests of a round."""

NOT_MODIFIED = 304
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Target:
    """A route on this machine, and the number of concurrent connections to it."""

    port: int
    path: str
    connections: int = 64


@dataclass(slots=True)
class Round:
    """The result of one round. `started` is wall-clock time, so that other processes can measure from it."""

    started: float
    seconds: float = 0.0
    accepted: int = 0
    refused: int = 0
    answer_seconds: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Return the accepted requests per second."""
        return self.accepted / self.seconds

    def count(self, status: int, took: float) -> None:
        """Count an answer and its response time in seconds."""
        if 200 <= status < 300 or status == NOT_MODIFIED:
            self.accepted += 1
        else:
            self.refused += 1
        self.answer_seconds.append(took)


class Connection(asyncio.Protocol):
    """Sends one request after another, waiting for each answer.

    `take` returns the next request, or None at the end. `answered` receives the status, the response time in seconds
    and the body.
    """

    def __init__(self, take: Callable[[], bytes | None], answered: Callable[[int, float, bytes], None]) -> None:
        self._take = take
        self._answered = answered
        self._received = b""
        self._sent = 0.0
        self.waiting = False
        self.finished = False
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's class does not inherit from it
        self._send()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        fields, status = head.lower(), int(head[9:12])
        if status != NOT_MODIFIED:  # it has no body
            start = fields.index(b"content-length:") + len(b"content-length:")
            if len(body) < int(fields[start:].split(b"\r\n", 1)[0]):
                return
        self._received = b""
        self.waiting = False
        self._answered(status, time.perf_counter() - self._sent, body)
        if b"\r\nconnection: close" in fields:
            self._transport.close()
        else:
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set_result(None)

    def _send(self) -> None:
        request = self._take()
        if request is None:
            self.finished = True
            self._transport.close()
            return
        self.waiting = True
        self._sent = time.perf_counter()
        self._transport.write(request)


async def send_requests(requests: list[bytes], target: Target, seconds: float) -> Round:
    """Send the requests as fast as they are answered, until none is left or `seconds` are over."""
    left: Iterator[bytes] = iter(requests)
    began = time.perf_counter()
    found = Round(started=time.time())

    def take() -> bytes | None:
        return next(left, None) if time.perf_counter() - began < seconds else None

    def answered(status: int, took: float, _: bytes) -> None:
        found.count(status, took)

    async def connect_and_send() -> None:
        loop = asyncio.get_running_loop()
        while True:
            _, connection = await loop.create_connection(lambda: Connection(take, answered), "127.0.0.1", target.port)
            await connection.closed
            if connection.waiting:
                raise ConnectionError(f"the server on port {target.port} closed a connection instead of answering")
            if connection.finished:
                return

    async with asyncio.timeout(seconds + MAX_EXTRA_SECONDS), asyncio.TaskGroup() as group:
        for _ in range(target.connections):
            group.create_task(connect_and_send())
    found.seconds = time.perf_counter() - began
    return found


def run_round(events: WebhookEvents, target: Target, seconds: float) -> Round:
    """Send webhook events in this process, until none is left or `seconds` are over."""
    requests = events.requests(target.port, target.path)
    return run(send_requests(requests, target, seconds))


def initialise_process() -> None:
    """Initialise a load process: it is killed when the benchmark ends, and Ctrl-C ends it without a traceback."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    die_with_parent(signal.SIGKILL)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on uvloop. Raises the first failure of an exception group, so that callers can catch it by its class."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            return runner.run(work)
        except BaseExceptionGroup as failures:
            failure: BaseException = failures
            while isinstance(failure, BaseExceptionGroup):
                failure = failure.exceptions[0]
            raise failure from None
