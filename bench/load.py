"""The load: prepared requests over kept connections, from a process that does nothing else.

An ordinary HTTP client costs more than the server it measures; this one writes bytes and counts answers.
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

LONGEST_SECONDS = 60.0
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Target:
    """A route on this machine, and how many connections ask it at once."""

    port: int
    path: str
    connections: int = 64


@dataclass(slots=True)
class Round:
    """What came of one round. `started` is a time of day, so that other processes can go on counting from it."""

    started: float
    seconds: float = 0.0
    accepted: int = 0
    refused: int = 0
    answer_seconds: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Requests accepted a second."""
        return self.accepted / self.seconds


class Connection(asyncio.Protocol):
    """One request after another; `take` answers with the next one, `answered` hears the status and how long it took."""

    def __init__(self, take: Callable[[], bytes | None], answered: Callable[[int, float], None]) -> None:
        self._take = take
        self._answered = answered
        self._received = b""
        self._sent = 0.0
        self.asking = False
        self.finished = False
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none of asyncio's
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        fields = head.lower()
        start = fields.index(b"content-length:") + len(b"content-length:")
        if len(body) < int(fields[start:].split(b"\r\n", 1)[0]):
            return
        self._received = b""
        self.asking = False
        self._answered(int(head[9:12]), time.perf_counter() - self._sent)
        if b"\r\nconnection: close" in fields:
            self._transport.close()
        else:
            self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set_result(None)

    def _ask(self) -> None:
        request = self._take()
        if request is None:
            self.finished = True
            self._transport.close()
            return
        self.asking = True
        self._sent = time.perf_counter()
        self._transport.write(request)


async def post(requests: list[bytes], target: Target, seconds: float) -> Round:
    """Posts the requests as fast as they are answered, until there are no more or the seconds are over."""
    left: Iterator[bytes] = iter(requests)
    began = time.perf_counter()
    found = Round(started=time.time())

    def take() -> bytes | None:
        return next(left, None) if time.perf_counter() - began < seconds else None

    def answered(status: int, took: float) -> None:
        if status == 200:
            found.accepted += 1
        else:
            found.refused += 1
        found.answer_seconds.append(took)

    async def connect_and_ask() -> None:
        loop = asyncio.get_running_loop()
        while True:
            _, connection = await loop.create_connection(lambda: Connection(take, answered), "127.0.0.1", target.port)
            await connection.closed
            if connection.asking:
                raise ConnectionError(f"the server on port {target.port} closed a connection instead of answering")
            if connection.finished:
                return

    async with asyncio.timeout(seconds + LONGEST_SECONDS), asyncio.TaskGroup() as group:
        for _ in range(target.connections):
            group.create_task(connect_and_ask())
    found.seconds = time.perf_counter() - began
    return found


def drive(notices: WebhookEvents, target: Target, seconds: float) -> Round:
    """A round of load, in this process: what is run in a process of its own."""
    requests = notices.requests(target.port, target.path)
    return run(post(requests, target, seconds))


def begin_process() -> None:
    """For a process that only bears load: it ends with the bench, however that ends, and Ctrl-C ends it without a word."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    die_with_parent(signal.SIGKILL)


def run(work: Coroutine[Any, Any, T]) -> T:
    """On the fastest event loop there is. Of tasks that failed together the first failure is raised, and can be caught by name."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            return runner.run(work)
        except BaseExceptionGroup as failures:
            failure: BaseException = failures
            while isinstance(failure, BaseExceptionGroup):
                failure = failure.exceptions[0]
            raise failure from None
