"""`make chaos` for a few seconds, on the stack of the other tests."""

import os
import random
import subprocess
import sys

import pytest

from dev import PROJECT
from dev.chaos.invariants import format_violations
from dev.chaos.leaks import LogScanner
from dev.chaos.process_faults import ProcessFault
from dev.chaos.run import Result, run
from dev.cli import chaos as command
from dev.process.console import Console
from dev.stack.stack import Stack

FAST_PROCESSES = ("auth", "catalog", "catalog-worker")
"""Killing these delays nothing for long. After payments-worker was killed, a refund would wait until its lease ends."""


async def test_chaos_run_of_five_seconds_violates_no_invariant(
    stack: Stack, log_scanner: LogScanner, console: Console
) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    lines: list[str] = []
    result = await run(
        stack, 5, seed, logs=log_scanner, console=console, progress=lines.append, processes=FAST_PROCESSES
    )
    print("\n".join(lines))
    assert format_violations(result.violations) == ""
    assert result.passed
    assert all(any(f"{fault.signal} {fault.process}: ready again" in line for line in lines) for fault in result.faults)
    assert {fault.process for fault in result.faults} <= set(FAST_PROCESSES)


def test_result_without_faults_or_deliveries_has_not_passed() -> None:
    fault = ProcessFault(1.0, "auth", "SIGKILL", 2.0)
    assert Result({"I1": []}, {}, [fault], deliveries=1).passed
    assert not Result({"I1": []}, {}, [], deliveries=1).passed
    assert not Result({"I1": []}, {}, [fault], deliveries=0).passed
    assert not Result({"I1": ["lost"]}, {}, [fault], deliveries=1).passed


def test_seconds_that_are_no_valid_number_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
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
