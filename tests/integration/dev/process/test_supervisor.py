"""A supervised process is restarted when it dies, and is gone with its children when it is stopped."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from dev.process import ports
from dev.process.console import Console
from dev.process.program import NotReady, NotStarted, Program
from dev.process.spawn import run_to_completion
from dev.process.supervisor import Supervisor
from tests.integration.dev.conditions import is_gone, kill_and_wait_restarted, until

SLEEPER = "import time; time.sleep(600)"
# Starts a child process and prints its PID.
PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("child", child.pid, flush=True)
time.sleep(600)
"""
IGNORES_SIGTERM = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ignoring", flush=True)
time.sleep(600)
"""

Start = Callable[[Program], Awaitable[Supervisor]]


def program(code: str, **fields: object) -> Program:
    base = Program(name="process", command=[sys.executable, "-c", code], env=dict(os.environ), cwd=Path.cwd())
    return replace(base, **fields)  # type: ignore[arg-type]


async def never_ready() -> None:
    raise NotReady("the database")


LISTENER = """
import socket, sys, time
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
time.sleep(600)
"""


@pytest.fixture
def console() -> Console:
    return Console()


@pytest.fixture
async def start(console: Console) -> AsyncIterator[Start]:
    supervisors: list[Supervisor] = []

    async def start(program: Program) -> Supervisor:
        supervisor = Supervisor(program, console)
        supervisors.append(supervisor)
        await supervisor.start()
        return supervisor

    yield start
    for supervisor in supervisors:
        await supervisor.stop()


def printed(console: Console, word: str) -> Callable[[], bool]:
    return lambda: any(word in line for line in console.recent_lines("process"))


async def child_pid(console: Console) -> int:
    await until(printed(console, "child"))
    return int(console.recent_lines("process")[0].split()[1])


async def test_pid_when_started_through_the_launcher_is_that_of_the_program(start: Start) -> None:
    supervisor = await start(program(SLEEPER))
    await until(lambda: psutil.Process(supervisor.pid).cmdline()[-1] == SLEEPER)


async def test_process_when_it_dies_is_restarted(start: Start) -> None:
    supervisor = await start(program(SLEEPER))
    assert is_gone(await kill_and_wait_restarted(supervisor))
    assert supervisor.starts == 2
    assert supervisor.exit_code == -signal.SIGKILL


async def test_children_when_the_process_is_stopped_are_gone(start: Start, console: Console) -> None:
    supervisor = await start(program(PARENT))
    child = await child_pid(console)
    await supervisor.stop()
    assert supervisor.pid is None
    await until(lambda: is_gone(child))


async def test_children_when_the_process_is_killed_are_gone(start: Start, console: Console) -> None:
    supervisor = await start(program(PARENT))
    child = await child_pid(console)
    pid = supervisor.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await until(lambda: is_gone(child) and supervisor.pid != pid)


async def test_process_when_it_ignores_the_stop_signal_is_killed_after_the_deadline(
    start: Start, console: Console
) -> None:
    supervisor = await start(program(IGNORES_SIGTERM, stop_seconds=0.3))
    pid = supervisor.pid
    assert pid is not None
    await until(printed(console, "ignoring"))
    await supervisor.stop()
    assert is_gone(pid)


async def test_start_when_the_program_exits_reports_its_exit_code_and_output(start: Start) -> None:
    code = "import sys; print('no such shop', flush=True); sys.exit(3)"
    with pytest.raises(NotStarted, match=r"(?s)exited with code 3.*no such shop"):
        await start(program(code, check_ready=never_ready))


async def test_start_when_the_program_never_gets_ready_reports_what_is_missing(start: Start) -> None:
    with pytest.raises(NotStarted, match=r"was not ready after .*: the database"):
        await start(program(SLEEPER, check_ready=never_ready, ready_seconds=0.5))


async def test_start_when_the_command_does_not_exist_reports_it(start: Start) -> None:
    with pytest.raises(NotStarted, match="No such file"):
        await start(program("", command=["/no/such/command"], check_ready=never_ready))


async def test_run_to_completion_when_the_program_hangs_ends_it(console: Console) -> None:
    with pytest.raises(NotStarted, match="did not finish within"):
        await run_to_completion(program(SLEEPER), console, seconds=0.3)


async def test_process_when_its_supervisor_is_killed_does_not_outlive_it(tmp_path: Path) -> None:
    code = f"""
import asyncio, os, sys
from pathlib import Path
from dev.process import ports
from dev.process.console import Console
from dev.process.program import Program
from dev.process.supervisor import Supervisor

async def main():
    command = [sys.executable, "-c", "import time; time.sleep(600)"]
    program = Program(name="process", command=command, env=dict(os.environ), cwd=Path({str(tmp_path)!r}))
    supervisor = Supervisor(program, Console())
    await supervisor.start()
    print(supervisor.pid, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    parent.kill()
    await parent.communicate()
    await until(lambda: is_gone(pid))


async def test_process_when_another_program_answers_on_its_port_is_not_ready(console: Console, start: Start) -> None:
    (port,) = ports.reserve_free(1)
    base = program(SLEEPER, port=port, ready_seconds=0.5)
    try:
        answered = f"port {port} is answered by another program .*PID {os.getpid()}"
        with socket.create_server((ports.LOOPBACK, port)), pytest.raises(NotStarted, match=answered):
            await start(base)
        listener = replace(base, command=[sys.executable, "-c", LISTENER, str(port)], ready_seconds=20.0)
        supervisor = await start(listener)
        assert supervisor.ready
        assert supervisor.starts == 1
    finally:
        ports.release([port])
