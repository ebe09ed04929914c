import os
import sys
import threading
from pathlib import Path
from typing import Any, cast

import pytest

from services.auth.accounts.hash_threads import NICE, available_cpus, default_threads
from services.auth.accounts.password_hashing import PasswordHasher

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has priorities of threads")


@pytest.fixture
def cpu_max(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a container's limit, on a machine with eight CPUs."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    return tmp_path / "cpu.max"


@pytest.mark.parametrize(
    ("text", "cpus"),
    [
        ("200000 100000\n", 2),
        ("150000 100000\n", 1),
        ("50000 100000\n", 1),
        ("1600000 100000\n", 8),
        ("max 100000\n", 8),
        ("", 8),
        ("200000 0\n", 8),
    ],
)
def test_available_cpus_are_those_of_the_container(cpu_max: Path, text: str, cpus: int) -> None:
    cpu_max.write_text(text)
    assert available_cpus(cpu_max) == cpus


def test_available_cpus_when_there_is_no_cgroup_then_those_of_the_machine(cpu_max: Path) -> None:
    assert available_cpus(cpu_max) == 8


@pytest.mark.parametrize(("processes", "threads"), [(1, 4), (2, 2), (3, 1), (8, 1)])
def test_default_threads_when_there_are_several_processes_then_they_share_the_cpus(
    cpu_max: Path, processes: int, threads: int
) -> None:
    cpu_max.write_text("400000 100000\n")
    assert default_threads(processes, cpu_max) == threads


class PriorityContext:
    """In place of passlib's context: its hash is the priority of the thread that computes it."""

    def hash(self, _: str) -> str:
        return str(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))


@linux_only
async def test_hash_runs_at_a_lower_priority_than_the_event_loop() -> None:
    before = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    hasher = PasswordHasher(cast(Any, PriorityContext()), threads=1)
    assert int(await hasher.hash("a gate of nine hinges")) == max(before, NICE)
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == before
    hasher.close()
