"""Start a program in its own process group, read its output line by line, and run it to completion."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from dev.process.console import Console
from dev.process.program import NotStarted, Program

LAUNCHER = Path(__file__).with_name("launcher.py")
MAX_LINE_BYTES = 16_384
ERROR_LINES = 20


class LineReader(asyncio.Protocol):
    """Splits the output of a process into lines. A line longer than MAX_LINE_BYTES becomes several lines."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._on_line = on_line
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > MAX_LINE_BYTES:
            lines.append(self._rest)
            self._rest = b""
        for line in lines:
            self._on_line(line.decode(errors="replace").rstrip("\r"))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._rest:
            self._on_line(self._rest.decode(errors="replace"))


async def spawn(program: Program, env: Mapping[str, str], console: Console) -> asyncio.subprocess.Process:
    """Start a program in its own process group. It is killed when this process ends. Its output goes to the console or its log file."""
    if program.log_file:
        reader = -1
        if program.log_file.exists():
            program.log_file.replace(
                f"{program.log_file}.before"
            )  # keeps the log of the previous process: it may contain the error
        writer = os.open(program.log_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    else:
        # With a pipe of asyncio, `process.wait` would return only after the children of the process have closed their output too.
        reader, writer = os.pipe()
    try:
        process = await execute(program, {**program.env, **env}, writer)
    except BaseException:
        if reader >= 0:
            os.close(reader)
        raise
    finally:
        os.close(writer)
    if reader >= 0:
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(
            lambda: LineReader(lambda line: console.print_output(program.name, line)), os.fdopen(reader, "rb", 0)
        )
    return process


async def execute(program: Program, env: Mapping[str, str], output: int) -> asyncio.subprocess.Process:
    """Start the process of a program with this environment. `output`: the file descriptor to which it writes."""
    user = ("-", "-") if program.user is None else (str(program.user.uid), str(program.user.gid))
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), *user, *program.command),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        env=env,
        cwd=program.cwd,
        umask=program.umask,
        start_new_session=True,
    )


async def run_to_completion(program: Program, console: Console, seconds: float = 120.0) -> None:
    """Run a program until it exits. Raises NotStarted with its last lines when it fails or takes longer than `seconds`."""
    process = await spawn(program, {}, console)
    try:
        async with asyncio.timeout(seconds):
            code = await process.wait()
    except TimeoutError:
        raise NotStarted(f"{program.name} did not finish within {seconds:.0f} s") from None
    finally:
        kill_group(process.pid)
        await process.wait()
    if code:
        raise NotStarted(failure_message(program, console, describe_exit(code)))


def describe_exit(code: int) -> str:
    """Describe an exit code: a negative one is the number of the signal that killed the process."""
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exited with code {code}"


def failure_message(program: Program, console: Console, reason: str) -> str:
    """Combine the reason of a failure with the last lines that the program printed."""
    log = program.log_file
    lines = log.read_text(errors="replace").splitlines() if log else console.recent_lines(program.name)
    output = "".join(f"\n    {line}" for line in lines[-ERROR_LINES:])
    return f"{program.name} {reason}{output}" + (f"\n{program.hint}" if program.hint else "")


def kill_group(leader: int) -> None:
    """Send SIGKILL to every process that is left in a process group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)
