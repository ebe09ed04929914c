"""`make chaos`, for a few seconds, on the stack of the other tests."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from dev import PROJECT
from dev.chaos.invariants import TITLES, format_violations
from dev.chaos.leaks import LogScanner
from dev.chaos.process_faults import ProcessFault
from dev.chaos.run import Result, run
from dev.cli import chaos as command
from dev.process.console import Console
from dev.stack.stack import Stack

QUICK = ("auth", "catalog", "catalog-worker")
"""The parts whose death nobody waits for longer than a moment; a refund's lease is held for a minute, a key in use for 40 s."""


async def test_a_crowd_in_a_storm(stack: Stack, logs: LogScanner, console: Console) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    said: list[str] = []
    result = await run(stack, 8, seed, logs=logs, console=console, progress=said.append, processes=QUICK)
    print("\n".join(said))
    assert format_violations(result.violations) == ""
    assert result.passed
    assert all(any(f"{fault.signal} {fault.process}: ready again" in line for line in said) for fault in result.faults)
    assert {fault.process for fault in result.faults} <= set(QUICK)


@pytest.mark.drill
def test_a_minute_of_chaos() -> None:
    seed = random.randrange(2**32)
    ran = _command(SECONDS="60", SEED=str(seed))
    print(ran.stdout)
    assert ran.returncode == 0
    assert f"seed {seed}" in ran.stdout
    assert "all invariants hold" in ran.stdout
    assert ran.stdout.count("✓") == len(TITLES)


@pytest.mark.drill
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_leaves_nothing_behind(number: signal.Signals, tmp_path: Path) -> None:
    tmp_path.chmod(0o711)
    env = {**os.environ, "SECONDS": "60", "TMPDIR": str(tmp_path)}
    words = [sys.executable, "-u", "-m", "dev", "chaos"]
    with subprocess.Popen(words, env=env, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        said = []
        for line in running.stdout:
            said.append(line)
            if "ready again" in line:
                break
        started = psutil.Process(running.pid).children(recursive=True)
        assert started
        running.send_signal(number)
        said += running.stdout.readlines()
        assert running.wait(60) == 1
    assert "interrupted: all processes stopped" in "".join(said)
    assert not psutil.wait_procs(started, timeout=10)[1]
    assert not list(tmp_path.iterdir())


def test_nothing_hit_or_nothing_bought_is_no_success() -> None:
    fault = ProcessFault(1.0, "auth", "SIGKILL", 2.0)
    assert Result({"I1": []}, {}, [fault], deliveries=1).passed
    assert not Result({"I1": []}, {}, [], deliveries=1).passed
    assert not Result({"I1": []}, {}, [fault], deliveries=0).passed
    assert not Result({"I1": ["lost"]}, {}, [fault], deliveries=1).passed


def test_a_wrong_number_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for wrong in ("x", "-1", "0", "1e3", "86401"):
        monkeypatch.setenv("SECONDS", wrong)
        with pytest.raises(command.NotANumber, match=f"SECONDS={wrong}: use a whole number from 5 to 86400"):
            command.number("SECONDS", 120, command.MIN_SECONDS, command.MAX_SECONDS)
    ran = _command(SECONDS="4")
    assert ran.returncode == 1
    assert "SECONDS=4: use a whole number" in ran.stdout
    assert ran.stderr == ""


def _command(**env: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "dev", "chaos"],
        env={**os.environ, **env},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
