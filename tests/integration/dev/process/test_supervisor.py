"""What is started here is watched, started again, and gone when it is stopped."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from dev.process.console import Console
from dev.process.program import NotReady, NotStarted, Program
from dev.process.spawn import MAX_LINE_BYTES, LineReader, run_to_completion
from dev.process.supervisor import Supervisor

# Starts a child of its own, and tells its PID.
PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("child", child.pid, flush=True)
time.sleep(600)
"""
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"

Begin = Callable[[Program], Awaitable[Supervisor]]


def program(code: str, **fields: object) -> Program:
    base = Program(name="part", command=[sys.executable, "-c", code], env=dict(os.environ), cwd=Path.cwd())
    return replace(base, **fields)  # type: ignore[arg-type]


async def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while True:
            if condition():
                return
            await asyncio.sleep(0.01)


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.fixture
def console() -> Console:
    return Console()


@pytest.fixture
async def begin(console: Console) -> AsyncIterator[Begin]:
    parts: list[Supervisor] = []

    async def begin(program: Program) -> Supervisor:
        part = Supervisor(program, console, lambda: None)
        parts.append(part)
        await part.start()
        return part

    yield begin
    for part in parts:
        await part.stop()


def said(console: Console, word: str) -> Callable[[], bool]:
    return lambda: any(word in line for line in console.recent_lines("part"))


async def test_the_pid_is_that_of_the_program_itself(begin: Begin) -> None:
    part = await begin(program("import time; time.sleep(600)"))
    await until(lambda: psutil.Process(part.pid).cmdline()[-1] == "import time; time.sleep(600)")


async def test_what_dies_is_started_again(begin: Begin) -> None:
    part = await begin(program("import time; time.sleep(600)"))
    first = part.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await until(lambda: part.pid != first and part.ready)
    assert is_gone(first)


async def test_stop_takes_children_with_it(begin: Begin, console: Console) -> None:
    part = await begin(program(PARENT))
    await until(said(console, "child"))
    child = int(console.recent_lines("part")[0].split()[1])
    await part.stop()
    assert part.pid is None
    await until(lambda: is_gone(child))


async def test_children_of_one_that_was_killed_do_not_stay(begin: Begin, console: Console) -> None:
    part = await begin(program(PARENT))
    await until(said(console, "child"))
    child = int(console.recent_lines("part")[0].split()[1])
    first = part.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await until(lambda: is_gone(child) and part.pid != first)


async def test_one_that_does_not_hear_is_killed_after_its_deadline(begin: Begin, console: Console) -> None:
    part = await begin(program(DEAF, stop_seconds=0.3))
    pid = part.pid
    assert pid is not None
    await until(said(console, "deaf"))
    await part.stop()
    assert is_gone(pid)


async def test_a_program_that_fails_at_once_says_why(begin: Begin) -> None:
    async def never() -> None:
        raise NotReady("not yet")

    with pytest.raises(NotStarted, match=r"(?s)ended with code 3.*no such shop"):
        await begin(program("import sys; print('no such shop', flush=True); sys.exit(3)", ready=never))


async def test_a_program_that_never_gets_ready_says_what_it_waits_for(begin: Begin) -> None:
    async def never() -> None:
        raise NotReady("the moon")

    with pytest.raises(NotStarted, match="the moon"):
        await begin(program("import time; time.sleep(600)", ready=never, ready_seconds=0.5))


async def test_a_command_that_is_not_there(begin: Begin) -> None:
    async def never() -> None:
        raise NotReady("not yet")

    with pytest.raises(NotStarted, match="No such file"):
        await begin(program("", command=["/no/such/command"], ready=never))


async def test_a_job_that_hangs_is_ended(console: Console) -> None:
    with pytest.raises(NotStarted, match="was not done after"):
        await run_to_completion(program("import time; time.sleep(600)"), console, seconds=0.3)


async def test_nothing_outlives_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    code = f"""
import asyncio, os, sys
from pathlib import Path
from dev.process.console import Console
from dev.process.program import Program
from dev.process.supervisor import Supervisor

async def main():
    command = [sys.executable, "-c", "import time; time.sleep(600)"]
    part = Supervisor(Program(name="part", command=command, env=dict(os.environ), cwd=Path({str(tmp_path)!r})), Console(), lambda: None)
    await part.start()
    print(part.pid, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""
    supervisor = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    assert supervisor.stdout is not None
    part = int(await supervisor.stdout.readline())
    supervisor.kill()
    await supervisor.communicate()
    await until(lambda: is_gone(part))


def test_a_reader_who_stops_reading_stops_nobody() -> None:
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as stream:
        console = Console(output=stream)
        for number in range(50_000):
            console.print_output("part", f"line {number} of many that nobody reads")
        assert console.recent_lines("part")[-1].startswith("line 49999")
        os.close(reader)  # and one who goes away does not either
        console.close()


def test_lines_are_cut_however_they_come() -> None:
    heard: list[str] = []
    lines = LineReader(heard.append)
    for piece in (b"one\ntw", b"o\r\n", b"\xff\n", b"x" * (MAX_LINE_BYTES + 1), b"\nlast"):
        lines.data_received(piece)
    lines.connection_lost(None)
    assert heard == ["one", "two", "\ufffd", "x" * (MAX_LINE_BYTES + 1), "", "last"]
