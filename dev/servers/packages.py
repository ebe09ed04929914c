"""Installing RabbitMQ where that can be done: as root on Debian or Ubuntu."""

import asyncio
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from dev.process.console import Console
from dev.process.supervisor import NotStarted, Program, run_once
from dev.servers import rabbitmq

POLICY = Path("/usr/sbin/policy-rc.d")
SYSTEMD = Path("/run/systemd/system")


async def rabbitmq_server(console: Console) -> Path:
    """The script that starts a RabbitMQ node; installs the package when it is missing. Raises NotStarted when it cannot."""
    if found := rabbitmq.server():
        return found
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise NotStarted(rabbitmq.THREE_WAYS)
    console.say("installing rabbitmq-server with apt-get, this once (about a minute)")
    started = time.monotonic()
    before = brokers()
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with no_services_started(), TemporaryDirectory() as folder:
        for arguments in (["update"], ["install", "-y", "--no-install-recommends", "rabbitmq-server"]):
            command = ["apt-get", "-q", *arguments]
            log = Path(folder) / "apt-get.log"
            program = Program(name="apt-get", command=command, env=env, cwd=Path("/"), log=log, umask=0o022)
            await run_once(program, console, seconds=900)
    await stop_services(before, console, env)
    found = rabbitmq.server()
    if found is None:
        raise NotStarted(rabbitmq.THREE_WAYS)
    console.say(f"rabbitmq-server installed in {time.monotonic() - started:.0f} s")
    return found


@contextmanager
def no_services_started() -> Iterator[None]:
    """Keeps Debian from starting a system-wide broker at installation, the way Debian provides for it.

    The policy holds only as long as this process lives: left behind by a SIGKILL, it forbids nothing.
    """
    if POLICY.exists():
        yield
        return
    POLICY.write_text(f"#!/bin/sh\n[ -d /proc/{os.getpid()} ] && exit 101\nexit 0\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink(missing_ok=True)


async def stop_services(before: set[int], console: Console, env: dict[str, str]) -> None:
    """Nobody asked for a system-wide broker: it shall not start with the machine, and if one has been started, it stops."""
    if SYSTEMD.is_dir():  # noqa: ASYNC240
        command = ["systemctl", "disable", "--now", "--quiet", "rabbitmq-server.service"]
        await run_once(Program(name="systemctl", command=command, env=env, cwd=Path("/")), console)
    started = [psutil.Process(pid) for pid in brokers() - before]
    for process in started:
        process.terminate()
    await asyncio.to_thread(psutil.wait_procs, started, 30)


def brokers() -> set[int]:
    """PIDs of the system's own RabbitMQ and of Erlang's port mapper."""
    return {
        process.pid
        for process in psutil.process_iter(["name", "username"])
        if process.info["name"] in {"beam.smp", "epmd"} and process.info["username"] in {"rabbitmq", "epmd"}
    }
