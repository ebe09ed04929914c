"""Wait for conditions of processes."""

import asyncio
import os
import signal
from collections.abc import Callable

import psutil

from dev.process.supervisor import Supervisor


async def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until a condition holds. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while True:
            if condition():
                return
            await asyncio.sleep(0.01)


def is_gone(pid: int) -> bool:
    """Return True if a process has ended."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def kill_and_wait_restarted(supervisor: Supervisor, seconds: float = 20.0) -> int:
    """Kill a process, wait until another one is ready, and return the old PID."""
    pid = supervisor.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await until(lambda: supervisor.ready and supervisor.pid != pid, seconds)
    return pid
