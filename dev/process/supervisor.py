"""One process of the stack: started, watched, started again when it dies, stopped with all that it started."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dev.process.accounts import Account
from dev.process.console import Console

LAUNCHER = Path(__file__).with_name("launcher.py")
FIRST_PAUSE = 0.2
LONGEST_PAUSE = 5.0
LONG_ENOUGH = 10.0
LONGEST_LINE = 16_384


class NotStarted(Exception):
    """A part of the stack did not come up. The message says which one and why, for the person who typed the command."""


class NotReady(Exception):
    """What a part still waits for."""


async def nothing() -> None:
    """There is nothing to check or to do."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """How a part is run. `ready` raises NotReady until it can be used; `clear` does away with what an earlier life left."""

    name: str
    command: list[str]
    env: Mapping[str, str]
    cwd: Path
    account: Account | None = None
    ready: Callable[[], Awaitable[None]] = nothing
    clear: Callable[[], Awaitable[None]] = nothing
    ready_seconds: float = 60.0
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 15.0
    hint: str = ""
    umask: int = 0o077
    log: Path | None = None  # prints there, and not to the console


class Lines(asyncio.Protocol):
    """Cuts what a process prints into lines, however long or broken."""

    def __init__(self, hear: Callable[[str], None]) -> None:
        self._hear = hear
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LONGEST_LINE:
            lines.append(self._rest)
            self._rest = b""
        for line in lines:
            self._hear(line.decode(errors="replace").rstrip("\r"))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._rest:
            self._hear(self._rest.decode(errors="replace"))


async def spawn(program: Program, env: Mapping[str, str], console: Console) -> asyncio.subprocess.Process:
    """Starts a program in a process group of its own, bound to our life, its output going to the console or its log."""
    account = ("-", "-") if program.account is None else (str(program.account.uid), str(program.account.gid))
    command = [sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), *account, *program.command]
    if program.log:
        reader = -1
        if program.log.exists():
            program.log.replace(f"{program.log}.before")  # why the last life ended
        writer = os.open(program.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    else:
        # A pipe of our own: then the end of the process is not mistaken for the end of what it started.
        reader, writer = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=writer,
            stderr=writer,
            env={**program.env, **env},
            cwd=program.cwd,
            umask=program.umask,
            start_new_session=True,
        )
    except BaseException:
        if reader >= 0:
            os.close(reader)
        raise
    finally:
        os.close(writer)
    if reader >= 0:
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(
            lambda: Lines(lambda line: console.hear(program.name, line)), os.fdopen(reader, "rb", 0)
        )
    return process


def how_it_ended(code: int) -> str:
    """An exit code in words."""
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"


async def run_once(program: Program, console: Console, seconds: float = 120.0) -> None:
    """Runs a program to its end. Raises NotStarted, with its last lines, when it fails or takes longer than `seconds`."""
    process = await spawn(program, {}, console)
    try:
        async with asyncio.timeout(seconds):
            code = await process.wait()
    except TimeoutError:
        raise NotStarted(f"{program.name} was not done after {seconds:.0f} s") from None
    finally:
        kill_group(process.pid)
        await process.wait()
    if code:
        raise NotStarted(last_words(program, console, how_it_ended(code)))


def last_words(program: Program, console: Console, what: str) -> str:
    """A failure together with the last lines of the one that failed."""
    lines = program.log.read_text(errors="replace").splitlines() if program.log else console.recent(program.name)
    said = "".join(f"\n    {line}" for line in lines[-20:])
    return f"{program.name} {what}{said}" + (f"\n{program.hint}" if program.hint else "")


def kill_group(leader: int) -> None:
    """Kills what is left of a process group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


class Part:
    """A program that is kept alive. `changed` hears every new PID."""

    def __init__(self, program: Program, console: Console, changed: Callable[[], None]) -> None:
        self.program = program
        self.pid: int | None = None
        self.ready = False
        self.lives = 0
        self.code: int | None = None
        """How its last life ended: the exit code, or a signal's number, negative."""
        self._console = console
        self._changed = changed
        self._env: Mapping[str, str] = {}
        self._stop = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._first: asyncio.Future[None] | None = None

    @property
    def name(self) -> str:
        return self.program.name

    async def start(self, env: Mapping[str, str] | None = None) -> None:
        """Starts it, with `env` on top of its environment in this and every later life, and returns when it is ready."""
        if self._keeper and not self._keeper.done():
            raise NotStarted(f"{self.name} runs already")
        self._env = env or {}
        self._stop.clear()
        self._first = asyncio.get_running_loop().create_future()
        self._keeper = asyncio.create_task(self._keep(), name=self.name)
        try:
            await asyncio.wait({self._first, self._keeper}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            self._first.cancel()  # nobody waits for it any more
            raise
        if self._first.done():
            await self._first
        else:
            await self._keeper  # its error, if it has one
            raise NotStarted(f"{self.name} was stopped before it was ready")

    async def stop(self) -> None:
        """Stops it and all that it started; after its deadline with SIGKILL. It is not started again."""
        self._stop.set()
        if self._keeper:
            await asyncio.gather(self._keeper, return_exceptions=True)
        if self.pid is not None:
            self.pid = None
            self._changed()

    def kill(self) -> None:
        """SIGKILLs it and all that it started. It is started again, unless it is being stopped."""
        if self.pid is not None:
            kill_group(self.pid)

    async def _keep(self) -> None:
        pause = FIRST_PAUSE
        while not self._stop.is_set():
            started = time.monotonic()
            try:
                process = await self._spawn()
            except (OSError, NotStarted) as error:
                if self._first and not self._first.done():
                    raise
                self._console.say(f"{self.name}: {error}")
                await self._stopped_within(LONGEST_PAUSE)
                continue
            try:
                code = await self._watch(process, started)
            finally:
                self.ready = False
                await self._end(process)
                self.code = process.returncode
            if self._stop.is_set() or code is None:
                return
            if time.monotonic() - started > LONG_ENOUGH:
                pause = FIRST_PAUSE
            self._console.say(f"{self.name} {how_it_ended(code)}: starting it again in {pause:.1f} s")
            await self._stopped_within(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _spawn(self) -> asyncio.subprocess.Process:
        await self.program.clear()
        process = await spawn(self.program, self._env, self._console)
        self.pid = process.pid
        self.lives += 1
        self._changed()
        return process

    async def _watch(self, process: asyncio.subprocess.Process, started: float) -> int | None:
        """Returns when the process has ended (its exit code) or is to be stopped (None)."""
        exit_ = asyncio.create_task(process.wait())
        stop = asyncio.create_task(self._stop.wait())
        ready = asyncio.create_task(self._until_ready(started))
        try:
            await asyncio.wait({exit_, stop, ready}, return_when=asyncio.FIRST_COMPLETED)
            if not exit_.done() and not stop.done():
                if self._first and not self._first.done():
                    if error := ready.exception():
                        self._first.set_exception(error)
                        return None
                    self._first.set_result(None)
                await asyncio.wait({exit_, stop}, return_when=asyncio.FIRST_COMPLETED)
            elif exit_.done() and self._first and not self._first.done():
                words = last_words(self.program, self._console, how_it_ended(exit_.result()))
                self._first.set_exception(NotStarted(words))
                return None
            return exit_.result() if exit_.done() else None
        finally:
            for task in (exit_, stop, ready):
                task.cancel()
            await asyncio.gather(exit_, stop, ready, return_exceptions=True)

    async def _until_ready(self, started: float) -> None:
        waits_for = "no answer"
        while True:
            try:
                await self.program.ready()
                break
            except NotReady as reason:
                waits_for = str(reason)
            if self._first and not self._first.done() and time.monotonic() - started > self.program.ready_seconds:
                raise NotStarted(
                    last_words(
                        self.program,
                        self._console,
                        f"was not ready after {self.program.ready_seconds:.0f} s: {waits_for}",
                    )
                )
            await asyncio.sleep(0.1)
        self.ready = True
        self._console.say(f"{self.name} ready in {time.monotonic() - started:.1f} s (PID {self.pid})")

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        """Brings a process to its end, if it has not come there itself, and its whole group with it."""
        if process.returncode is None:
            process.send_signal(self.program.stop_signal)
            try:
                async with asyncio.timeout(self.program.stop_seconds):
                    await process.wait()
            except TimeoutError:
                self._console.say(f"{self.name} did not stop within {self.program.stop_seconds:.0f} s: killed")
                kill_group(process.pid)
                await process.wait()
        kill_group(process.pid)

    async def _stopped_within(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stop.wait()
