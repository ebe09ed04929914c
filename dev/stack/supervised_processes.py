"""Supervised processes by name: start, stop, kill and observe each one."""

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence

from dev.process.console import Console
from dev.process.program import NotReady, NotStarted, Program
from dev.process.supervisor import Supervisor

POLL_SECONDS = 0.05


class SupervisedProcesses:
    """The processes of a stack. `process_env` adds variables to the environment of single processes."""

    def __init__(self, console: Console, process_env: Mapping[str, Mapping[str, str]] | None = None) -> None:
        self._console = console
        self._process_env = process_env or {}
        self._supervisors: dict[str, Supervisor] = {}

    def pid(self, name: str) -> int:
        """Return the PID of a running process. Raises NotStarted if it is stopped."""
        pid = self._supervisors[name].pid
        if pid is None:
            raise NotStarted(f"{name} is not running")
        return pid

    def is_ready(self, name: str) -> bool:
        """Return True if a process is running and has become ready after its last start."""
        return name in self._supervisors and self._supervisors[name].ready

    def start_count(self, name: str) -> int:
        """Return how often a process was started."""
        return self._supervisors[name].starts

    def exit_code(self, name: str) -> int | None:
        """Return the exit code of the last process of that name that exited, or None if none has exited."""
        return self._supervisors[name].exit_code

    def program(self, name: str) -> Program:
        """Return the program of a process."""
        return self._supervisors[name].program

    def recent_lines(self, name: str) -> list[str]:
        """Return the last lines that a process printed."""
        return self._console.recent_lines(name)

    async def start(self, name: str, env: Mapping[str, str] | None = None) -> None:
        """Start a stopped process, with `env` added to its environment, and return when it is ready."""
        await self._supervisors[name].start({**self._process_env.get(name, {}), **(env or {})})

    async def stop(self, name: str) -> None:
        """Stop a process. It stays stopped until `start`."""
        await self._supervisors[name].stop()

    async def wait_restarted(self, name: str, pid: int, timeout: float = 60.0) -> int:
        """Wait until a process has another PID than `pid` and is ready; return the new PID. Raises TimeoutError."""
        supervisor = self._supervisors[name]
        async with asyncio.timeout(timeout):
            while True:
                if supervisor.ready and supervisor.pid not in (None, pid):
                    return self.pid(name)
                await asyncio.sleep(POLL_SECONDS)

    async def wait_ready(self, name: str, timeout: float = 60.0) -> None:
        """Wait until a running process passes its readiness check, for example after it was frozen. Raises TimeoutError."""
        async with asyncio.timeout(timeout):
            while True:
                with contextlib.suppress(NotReady):
                    return await self._supervisors[name].check_ready()
                await asyncio.sleep(POLL_SECONDS)

    def kill(self) -> None:
        """Send SIGKILL to all running processes and their children."""
        for supervisor in self._supervisors.values():
            supervisor.kill()

    async def _stop_together(self, names: Sequence[str]) -> None:
        running = [self._supervisors[name] for name in names if self._supervisors[name].pid is not None]
        if not running:
            return
        started = time.monotonic()
        await asyncio.gather(*(supervisor.stop() for supervisor in running))
        stopped = ", ".join(supervisor.name for supervisor in running)
        self._console.print_status(f"stopped {stopped} in {time.monotonic() - started:.1f} s")
