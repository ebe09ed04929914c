"""The worker process: runs background jobs, restarts failed jobs, and shuts down on SIGTERM."""

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence

import structlog
import uvicorn
from fastapi import FastAPI
from prometheus_client import Counter

from kit import errors, process
from kit.http.head import Head
from kit.http.health import Check, Health
from kit.http.server_protocol import ServerProtocol
from kit.log_throttling import log_failure
from kit.observability.middleware import Telemetry
from kit.worker.backoff import Backoff
from kit.worker.shutdown import Shutdown

RESTART_BACKOFF = Backoff(first=0.2, longest=7.5, jitter=0.5)
STABLE_SECONDS = 10.0
"""If a job ran for longer than this before it failed, the backoff starts again with the first pause."""

DRAIN_SECONDS = 15
"""Time that jobs have to end after shutdown was requested. Then they are cancelled."""

job_failures = Counter(
    "worker_job_failures_total", "Times a background job failed and was restarted", ["background_job"]
)
log = structlog.get_logger("worker")

Job = Callable[[Shutdown], Awaitable[None]]
"""Runs until `shutdown.requested`. It may raise, for example if the database is unavailable: it is restarted."""


async def keep_running(name: str, job: Job, shutdown: Shutdown) -> None:
    """Run a job until shutdown is requested. Restart it with backoff after a failure."""
    clock = asyncio.get_running_loop().time
    failures = 0
    while not shutdown.requested:
        started_at = clock()
        try:
            await job(shutdown)
        except Exception as error:
            job_failures.labels(name).inc()
            log_failure(log.warning, "job failed", error, about=name, job=name)
            if clock() - started_at > STABLE_SECONDS:
                failures = 0
            await shutdown.wait(RESTART_BACKOFF.seconds(failures))
            failures += 1


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield  # the worker handles signals itself


async def run_jobs(
    jobs: Mapping[str, Job],
    checks: Mapping[str, Check],
    *,
    host: str,
    port: int,
    warnings: Mapping[str, Check] | None = None,
) -> None:
    """Run background jobs until SIGTERM or SIGINT, with /livez, /readyz and /metrics on `port`. A second signal kills the process."""
    process.limit_garbage_collection()
    shutdown = Shutdown()
    server = _create_server(Health(checks, warnings), host, port)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, shutdown.request)
    tasks = [asyncio.create_task(keep_running(name, job, shutdown), name=name) for name, job in jobs.items()]
    serving = asyncio.create_task(server.serve())
    log.info("worker started", jobs=list(jobs), port=port)
    # If the server ends, for example because its port is taken, the process has no health checks and no metrics: stop it.
    serving.add_done_callback(lambda _: shutdown.request())
    await shutdown.wait_requested()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.remove_signal_handler(number)
    await _cancel_late(tasks)
    server.should_exit = True
    await asyncio.gather(*tasks, return_exceptions=True)
    await serving
    log.info("worker stopped")


def _create_server(health: Health, host: str, port: int) -> "_Server":
    app = FastAPI(title="worker", openapi_url=None)
    errors.install_error_handlers(app)
    app.include_router(health.router("worker"))
    app.add_middleware(Head)
    app.add_middleware(Telemetry)
    return _Server(
        uvicorn.Config(
            app,
            host,
            port,
            http=ServerProtocol,
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=2,
        )
    )


async def _cancel_late(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel the jobs that do not end in time. They check `shutdown.requested` between two units of work."""
    _, late = await asyncio.wait(tasks, timeout=DRAIN_SECONDS)
    for task in late:
        log.warning("job cancelled", reason="did not end in time", job=task.get_name())
        task.cancel()
