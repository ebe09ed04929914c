"""`make chaos` as its own command."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from dev import PROJECT
from dev.chaos.invariants import TITLES

pytestmark = pytest.mark.drill


def test_chaos_run_of_a_minute_violates_no_invariant() -> None:
    seed = random.randrange(2**32)
    ran = subprocess.run(
        [sys.executable, "-m", "dev", "chaos"],
        env={**os.environ, "SECONDS": "60", "SEED": str(seed)},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    print(ran.stdout)
    assert ran.returncode == 0
    assert f"seed {seed}" in ran.stdout
    assert "all invariants hold" in ran.stdout
    assert ran.stdout.count("✓") == len(TITLES)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_chaos_run_when_interrupted_leaves_no_process_and_no_file(number: signal.Signals, tmp_path: Path) -> None:
    tmp_path.chmod(0o711)
    env = {**os.environ, "SECONDS": "60", "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-u", "-m", "dev", "chaos"]
    with subprocess.Popen(command, env=env, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        lines = []
        for line in running.stdout:
            lines.append(line)
            if "ready again" in line:
                break
        started = psutil.Process(running.pid).children(recursive=True)
        assert started
        running.send_signal(number)
        lines += running.stdout.readlines()
        assert running.wait(60) == 1
    assert "interrupted: all processes stopped" in "".join(lines)
    assert not psutil.wait_procs(started, timeout=10)[1]
    assert not list(tmp_path.iterdir())
