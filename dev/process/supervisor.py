"""A supervisor starts one process, waits until it is ready, restarts it when it exits, and stops it together with its children."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping

from dev.process import ports
from dev.process.console import Console
from dev.process.program import NotReady, NotStarted, Program
from dev.process.spawn import describe_exit, failure_message, kill_group, spawn

MIN_PAUSE_SECONDS = 0.2
MAX_PAUSE_SECONDS = 5.0
STABLE_SECONDS = 10.0
"""After a process ran this long, its next restart uses the shortest pause again."""
READY_POLL_SECONDS = 0.1


class Supervisor:
    """Keeps one program running. `on_pid_change` is called whenever the PID changes."""

    def __init__(self, program: Program, console: Console, on_pid_change: Callable[[], None] | None = None) -> None:
        self.program = program
        self.pid: int | None = None
        self.ready = False
        self.starts = 0
        """How often the process was started."""
        self.exit_code: int | None = None
        """The exit code of the last process that exited. A negative one is the number of the signal that killed it."""
        self._console = console
        self._on_pid_change = on_pid_change
        self._env: Mapping[str, str] = {}
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._first_ready: asyncio.Future[None] | None = None

    @property
    def name(self) -> str:
        return self.program.name

    async def start(self, env: Mapping[str, str] | None = None) -> None:
        """Start the process and return when it is ready. `env` is added to its environment, now and at every restart."""
        if self._task and not self._task.done():
            raise NotStarted(f"{self.name} is already running")
        self._env = env or {}
        self._stop.clear()
        self._first_ready = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._supervise(), name=self.name)
        try:
            await asyncio.wait({self._first_ready, self._task}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            self._first_ready.cancel()
            raise
        if self._first_ready.done():
            await self._first_ready
        else:
            await self._task  # raises the error of the supervising task, if there is one
            raise NotStarted(f"{self.name} was stopped before it was ready")

    async def stop(self) -> None:
        """Stop the process and its children, with SIGKILL after the program's deadline. It is not restarted."""
        self._stop.set()
        if self._task:
            await asyncio.gather(self._task, return_exceptions=True)
        if self.pid is not None:
            self._set_pid(None)

    async def check_ready(self) -> None:
        """Raise NotReady unless the process is ready, and is the one that answered."""
        await self.program.check_ready()
        pid, port = self.pid, self.program.port
        if port is not None and (pid is None or not await asyncio.to_thread(ports.listens, pid, port)):
            owner = await asyncio.to_thread(ports.owner, port)
            raise NotReady(f"port {port} is answered by another program{f' ({owner})' if owner else ''}")

    def kill(self) -> None:
        """Send SIGKILL to the process and its children. It is restarted unless it is being stopped."""
        if self.pid is not None:
            kill_group(self.pid)

    def _set_pid(self, pid: int | None) -> None:
        self.pid = pid
        if self._on_pid_change:
            self._on_pid_change()

    async def _supervise(self) -> None:
        pause = MIN_PAUSE_SECONDS
        while not self._stop.is_set():
            started = time.monotonic()
            try:
                process = await self._spawn()
            except (OSError, NotStarted) as error:
                if self._starting:
                    raise
                self._console.print_status(f"{self.name}: {error}")
                await self._wait_stop(MAX_PAUSE_SECONDS)
                continue
            try:
                code = await self._watch(process, started)
            finally:
                self.ready = False
                await self._terminate(process)
                self.exit_code = process.returncode
            if self._stop.is_set() or code is None:
                return
            if time.monotonic() - started > STABLE_SECONDS:
                pause = MIN_PAUSE_SECONDS
            self._console.print_status(f"{self.name} {describe_exit(code)}: restarting in {pause:.1f} s")
            await self._wait_stop(pause)
            pause = min(2 * pause, MAX_PAUSE_SECONDS)

    @property
    def _starting(self) -> bool:
        """Return True while `start` waits for the first readiness."""
        return self._first_ready is not None and not self._first_ready.done()

    async def _spawn(self) -> asyncio.subprocess.Process:
        await self.program.before_start()
        process = await spawn(self.program, self._env, self._console)
        self.starts += 1
        self._set_pid(process.pid)
        return process

    async def _watch(self, process: asyncio.subprocess.Process, started: float) -> int | None:
        """Wait until the process exits and return its exit code. Return None if it must be stopped, because of `stop` or a failed start."""
        exited = asyncio.create_task(process.wait())
        stopped = asyncio.create_task(self._stop.wait())
        ready = asyncio.create_task(self._wait_ready(started))
        try:
            await asyncio.wait({exited, stopped, ready}, return_when=asyncio.FIRST_COMPLETED)
            if not exited.done() and not stopped.done():
                if self._first_ready and not self._first_ready.done():
                    if error := ready.exception():
                        self._first_ready.set_exception(error)
                        return None
                    self._first_ready.set_result(None)
                await asyncio.wait({exited, stopped}, return_when=asyncio.FIRST_COMPLETED)
            elif exited.done() and self._first_ready and not self._first_ready.done():
                message = failure_message(self.program, self._console, describe_exit(exited.result()))
                self._first_ready.set_exception(NotStarted(message))
                return None
            return exited.result() if exited.done() else None
        finally:
            for task in (exited, stopped, ready):
                task.cancel()
            await asyncio.gather(exited, stopped, ready, return_exceptions=True)

    async def _wait_ready(self, started: float) -> None:
        """Poll the readiness check. Raises NotStarted when the first start takes longer than the program allows."""
        missing = "no answer"
        limit = self.program.ready_seconds
        while True:
            try:
                await self.check_ready()
                break
            except NotReady as reason:
                missing = str(reason)
            if self._starting and time.monotonic() - started > limit:
                reason_text = f"was not ready after {limit:.0f} s: {missing}"
                raise NotStarted(failure_message(self.program, self._console, reason_text))
            await asyncio.sleep(READY_POLL_SECONDS)
        self.ready = True
        self._console.print_status(f"{self.name} ready in {time.monotonic() - started:.1f} s (PID {self.pid})")

    async def _terminate(self, process: asyncio.subprocess.Process) -> None:
        """Stop a process that is still running, then kill what is left of its process group."""
        if process.returncode is None:
            process.send_signal(self.program.stop_signal)
            try:
                async with asyncio.timeout(self.program.stop_seconds):
                    await process.wait()
            except TimeoutError:
                self._console.print_status(f"{self.name} did not stop within {self.program.stop_seconds:.0f} s: killed")
                kill_group(process.pid)
                await process.wait()
        kill_group(process.pid)

    async def _wait_stop(self, seconds: float) -> None:
        """Wait for the request to stop, at most `seconds`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stop.wait()
