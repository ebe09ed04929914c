"""The worker process: runs background jobs, restarts those that fail, and stops in order on SIGTERM."""

import asyncio
import contextlib
import random
import signal
from collections.abc import Awaitable, Callable, Generator, Mapping

import structlog
import uvicorn
from fastapi import FastAPI
from prometheus_client import Counter

from kit import errors, process
from kit.http.health import Check, Health
from kit.observability.middleware import Telemetry
from kit.worker.shutdown import Shutdown

log = structlog.get_logger("worker")


FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0


DRAIN_SECONDS = 15


job_failures = Counter("worker_job_failures_total", "Times a loop failed and was started again", ["loop"])


Job = Callable[[Shutdown], Awaitable[None]]
"""Works until `shutdown.requested`; may raise whenever something that it needs is away: it is started again."""


async def _keep_running(name: str, loop: Job, shutdown: Shutdown) -> None:
    pause = FIRST_PAUSE
    clock = asyncio.get_running_loop().time
    while not shutdown.requested:
        began = clock()
        try:
            await loop(shutdown)
        except Exception as error:
            job_failures.labels(name).inc()
            log.warning(
                "loop failed, starting again",
                loop=name,
                error=type(error).__name__,
                reason=(str(error).splitlines() or [""])[0][:200],
            )
            if clock() - began > 2 * LONGEST_PAUSE:
                pause = FIRST_PAUSE
            await shutdown.wait(pause * random.uniform(0.5, 1.5))  # noqa: S311 -- jitter
            pause = min(pause * 2, LONGEST_PAUSE)


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield  # signals are the worker's


async def run_jobs(loops: Mapping[str, Job], checks: Mapping[str, Check], *, host: str, port: int) -> None:
    """Run the loops until SIGTERM or SIGINT, with /livez, /readyz and /metrics on `port`. A second signal ends it at once."""
    process.freeze_loaded_objects()
    shutdown = Shutdown()
    app = FastAPI(title="worker", openapi_url=None)
    errors.install_error_handlers(app)
    app.include_router(Health(checks).router())
    app.add_middleware(Telemetry)
    server = _Server(
        uvicorn.Config(
            app, host, port, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=2
        )
    )
    running = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        running.add_signal_handler(number, shutdown.request)
    tasks = [asyncio.create_task(_keep_running(name, loop, shutdown), name=name) for name, loop in loops.items()]
    serving = asyncio.create_task(server.serve())
    log.info("working", loops=list(loops), port=port)
    # Where the server falls (its port is taken) nobody could see how we are: that is an end too.
    serving.add_done_callback(lambda _: shutdown.request())
    await shutdown.wait_requested()
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
