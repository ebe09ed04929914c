"""The programs of the stack's own code: services, workers, the sandbox and one-time commands."""

import sys
from collections.abc import Mapping
from urllib.parse import urlsplit

from dev import PROJECT
from dev.process.program import Program
from dev.stack.configuration import Configuration
from dev.stack.readiness import check_http

STOP_SECONDS = 20.0
READY_SECONDS = 120.0
"""Eight processes start at the same time. On a busy machine with two cores this took more than a minute."""


def service_program(name: str, configuration: Configuration, env: Mapping[str, str], url: str | None = None) -> Program:
    """Return the program of an API, a worker, the sandbox or the mail catcher.

    It is ready when `url` (default: the configured one) serves /readyz.
    """
    service, _, worker = name.partition("-")
    command = [f"services.{service}", "worker" if worker else "serve"]
    arguments = {"sandbox": ["sandbox"], "mail-catcher": ["dev.mail_catcher"]}.get(name, command)
    base_url = url or configuration.url(name)

    async def check_ready() -> None:
        await check_http(f"{base_url}/readyz")

    return Program(
        name=name,
        command=[sys.executable, "-m", *arguments],
        env=env,
        cwd=PROJECT,
        check_ready=check_ready,
        port=urlsplit(base_url).port,
        ready_seconds=READY_SECONDS,
        stop_seconds=STOP_SECONDS,
    )


def command_program(service: str, env: Mapping[str, str], command: str, *arguments: str) -> Program:
    """Return the program of a command of a service that runs once, for example `migrate`."""
    return Program(
        name=f"{service}-{command}",
        command=[sys.executable, "-m", f"services.{service}", command, *arguments],
        env=env,
        cwd=PROJECT,
        stop_seconds=STOP_SECONDS,
    )
