"""The two long-running processes of a service: `serve` and `worker`."""

import asyncio
import signal
import sys
from contextlib import nullcontext
from importlib import import_module

import uvicorn

from kit.observability.logging import configure_logging
from kit.observability.multiprocess import shared_metrics
from kit.process import raise_open_file_limit
from kit.settings import Settings

KEEP_ALIVE_SECONDS = 75
"""Longer than the gateway keeps idle connections open, so that it never sends a request on a connection that we are closing."""

SERVER_PROTOCOL = "kit.http.server_protocol:ServerProtocol"
GRACE_SECONDS = 15
"""Time that running requests have to complete after SIGTERM."""


def serve_app(app: str, settings: Settings, port: int) -> None:
    """Serve the app `module:attribute` until SIGTERM."""
    # uvicorn shuts down on SIGTERM, then restores this handler and raises SIGTERM again. The handler makes the exit code 0.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    raise_open_file_limit()
    uvicorn.run(
        app,
        host=settings.http_host,
        port=port,
        workers=settings.web_concurrency if settings.web_concurrency > 1 else None,
        log_config=None,
        access_log=False,
        proxy_headers=False,  # uvicorn would believe X-Forwarded-For from any process on this machine
        server_header=False,
        http=SERVER_PROTOCOL,
        ws="none",
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
        reset_contextvars=True,  # log messages of a request do not carry what an earlier request of the connection has bound
    )


def serve(package: str) -> None:
    """Serve the requests of a service package such as `services.auth`, on the port in its setting `auth_port`."""
    settings = _settings(package)
    name = _name(package)
    with shared_metrics(name) if settings.web_concurrency > 1 else nullcontext():
        serve_app(f"{package}.app:app", settings, getattr(settings, f"{name}_port"))


def work(package: str) -> None:
    """Run the background jobs of a service package: `work` in its `worker.py`."""
    settings = _settings(package)
    configure_logging(settings.log_level, settings.log_format, f"{_name(package)}-worker")
    with asyncio.Runner(loop_factory=uvicorn.Config("", log_config=None).get_loop_factory()) as runner:
        runner.run(import_module(f"{package}.worker").work())


def _name(package: str) -> str:
    return package.rpartition(".")[2]


def _settings(package: str) -> Settings:
    settings = import_module(f"{package}.settings").settings
    if not isinstance(settings, Settings):
        raise TypeError(f"{package}.settings.settings is no Settings object")
    return settings
