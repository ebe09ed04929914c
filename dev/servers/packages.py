"""Install RabbitMQ with apt-get if it is missing and this process is root on Debian or Ubuntu."""

import asyncio
import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from dev.process.console import Console
from dev.process.program import NotStarted, Program
from dev.process.spawn import run_to_completion
from dev.servers import rabbitmq

LOCK_FILE = Path("/run/shop-rabbitmq-server.lock")
"""Locked by the process that installs RabbitMQ. Only root can write to this folder."""

LOCK_POLL_SECONDS = 0.2
INSTALL_SECONDS = 900
DPKG_LOCK_SECONDS = 300
"""How long apt-get waits for another program that installs packages, for example the automatic updates of the system."""

POLICY_FILE = Path("/usr/sbin/policy-rc.d")
SYSTEMD = Path("/run/systemd/system")


async def rabbitmq_server(console: Console) -> Path:
    """Return the script that starts a RabbitMQ node; install the package when it is missing. Raises NotStarted if that is impossible."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        if found := rabbitmq.server_script():
            return found
        raise NotStarted(rabbitmq.INSTALL_HELP)
    lock = os.open(LOCK_FILE, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        await _acquire(lock)
        return rabbitmq.server_script() or await install(console)
    finally:
        os.close(lock)


async def _acquire(lock: int) -> None:
    """Wait until no other stack installs RabbitMQ: a second apt-get fails, and the script exists before the package is complete.

    Raises NotStarted after INSTALL_SECONDS.
    """
    try:
        async with asyncio.timeout(INSTALL_SECONDS):
            while True:
                with suppress(BlockingIOError):
                    return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                await asyncio.sleep(LOCK_POLL_SECONDS)
    except TimeoutError:
        raise NotStarted(f"another process has been installing rabbitmq-server for {INSTALL_SECONDS} s") from None


async def install(console: Console) -> Path:
    """Install RabbitMQ with apt-get, and return the script that starts a node. Raises NotStarted."""
    console.print_status("installing rabbitmq-server with apt-get (about a minute)")
    started = time.monotonic()
    already_running = running_brokers()
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with services_not_started(), TemporaryDirectory() as folder:
        for arguments in (["update"], ["install", "-y", "--no-install-recommends", "rabbitmq-server"]):
            program = Program(
                name="apt-get",
                command=["apt-get", "-q", "-o", f"DPkg::Lock::Timeout={DPKG_LOCK_SECONDS}", *arguments],
                env=env,
                cwd=Path("/"),
                log_file=Path(folder) / "apt-get.log",
                umask=0o022,
            )
            await run_to_completion(program, console, seconds=INSTALL_SECONDS)
    await stop_services(already_running, console, env)
    found = rabbitmq.server_script()
    if found is None:
        raise NotStarted(rabbitmq.INSTALL_HELP)
    console.print_status(f"rabbitmq-server installed in {time.monotonic() - started:.0f} s")
    return found


@contextmanager
def services_not_started() -> Iterator[None]:
    """Keep Debian from starting a system-wide broker during the installation, with a policy-rc.d file as Debian documents.

    The file refuses starts only while this process is alive, so it has no effect if a SIGKILL leaves it behind.
    """
    if POLICY_FILE.exists():
        yield
        return
    POLICY_FILE.write_text(f"#!/bin/sh\n[ -d /proc/{os.getpid()} ] && exit 101\nexit 0\n")
    POLICY_FILE.chmod(0o755)
    try:
        yield
    finally:
        POLICY_FILE.unlink(missing_ok=True)


async def stop_services(already_running: set[int], console: Console, env: dict[str, str]) -> None:
    """Disable the system-wide broker, and stop it if the installation started it: if its PID is not in `already_running`."""
    if SYSTEMD.is_dir():  # noqa: ASYNC240
        command = ["systemctl", "disable", "--now", "--quiet", "rabbitmq-server.service"]
        await run_to_completion(Program(name="systemctl", command=command, env=env, cwd=Path("/")), console)
    started = [psutil.Process(pid) for pid in running_brokers() - already_running]
    for process in started:
        process.terminate()
    await asyncio.to_thread(psutil.wait_procs, started, 30)


def running_brokers() -> set[int]:
    """Return the PIDs of the system's own RabbitMQ and of Erlang's port mapper."""
    return {
        process.pid
        for process in psutil.process_iter(["name", "username"])
        if process.info["name"] in {"beam.smp", "epmd"} and process.info["username"] in {"rabbitmq", "epmd"}
    }
