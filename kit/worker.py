"""A worker: loops that go on by themselves, are started again when they fail, and end in order when the process is told to."""

import asyncio
import contextlib
import random
import signal
from collections.abc import Awaitable, Callable, Generator, Mapping

import structlog
import uvicorn
from fastapi import FastAPI
from prometheus_client import Counter

from kit import errors, garbage
from kit.health import Check, Health
from kit.telemetry import Telemetry

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0
DRAIN_SECONDS = 15
loop_failures = Counter("worker_loop_failures_total", "Times a loop failed and was started again", ["loop"])
log = structlog.get_logger("worker")


class Life:
    """Whether to go on, and a wait that ends early when there is work or when the process should end."""

    def __init__(self) -> None:
        self._stop = asyncio.Event()

    @property
    def over(self) -> bool:
        return self._stop.is_set()

    def end(self) -> None:
        self._stop.set()

    async def wait(self, seconds: float, bell: asyncio.Event | None = None) -> None:
        """Until the bell rings (it is cleared), the end comes, or the seconds are over."""
        waits = {asyncio.ensure_future(self._stop.wait())}
        if bell is not None:
            waits.add(asyncio.ensure_future(bell.wait()))
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        if bell is not None:
            bell.clear()

    async def until_over(self) -> None:
        await self._stop.wait()


Loop = Callable[[Life], Awaitable[None]]
"""Works until `life.over`; may raise whenever something that it needs is away: it is started again."""


async def _keep(name: str, loop: Loop, life: Life) -> None:
    pause = FIRST_PAUSE
    clock = asyncio.get_running_loop().time
    while not life.over:
        began = clock()
        try:
            await loop(life)
        except Exception as error:
            loop_failures.labels(name).inc()
            log.warning(
                "loop failed, starting again",
                loop=name,
                error=type(error).__name__,
                reason=(str(error).splitlines() or [""])[0][:200],
            )
            if clock() - began > 2 * LONGEST_PAUSE:
                pause = FIRST_PAUSE
            await life.wait(pause * random.uniform(0.5, 1.5))  # noqa: S311 -- jitter
            pause = min(pause * 2, LONGEST_PAUSE)


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield  # signals are the worker's


async def run(loops: Mapping[str, Loop], checks: Mapping[str, Check], *, host: str, port: int) -> None:
    """Run the loops until SIGTERM or SIGINT, with /livez, /readyz and /metrics on `port`. A second signal ends it at once."""
    garbage.keep_what_is_loaded()
    life = Life()
    app = FastAPI(title="worker", openapi_url=None)
    errors.install(app)
    app.include_router(Health(checks).router())
    app.add_middleware(Telemetry)
    server = _Server(
        uvicorn.Config(
            app, host, port, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=2
        )
    )
    running = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        running.add_signal_handler(number, life.end)
    tasks = [asyncio.create_task(_keep(name, loop, life), name=name) for name, loop in loops.items()]
    serving = asyncio.create_task(server.serve())
    log.info("working", loops=list(loops), port=port)
    # Where the server falls (its port is taken) nobody could see how we are: that is an end too.
    serving.add_done_callback(lambda _: life.end())
    await life.until_over()
    for number in (signal.SIGTERM, signal.SIGINT):
        running.remove_signal_handler(number)
    # Loops end by themselves between two pieces of work; cancelling is the last resort.
    _, late = await asyncio.wait(tasks, timeout=DRAIN_SECONDS)
    for task in late:
        log.warning("loop did not end in time", loop=task.get_name())
        task.cancel()
    server.should_exit = True
    await asyncio.gather(*tasks, return_exceptions=True)
    await serving
    log.info("stopped")
