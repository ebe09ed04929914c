"""The threads that hash passwords: how many there are, and their priority."""

import os
import sys
import threading
from contextlib import suppress
from pathlib import Path

CPU_MAX = Path("/sys/fs/cgroup/cpu.max")
"""The CPU limit of a container (cgroup v2): microseconds of CPU time in a period, and the period.

`200000 100000` means two CPUs, `max 100000` no limit.
"""

NICE = 5
"""At this priority, a thread that hashes gets about a third of the CPU time of a thread at the normal priority that also wants it.

At 10 it would get a tenth: on a machine whose CPUs are busy with other work, a login would wait for many seconds.
"""


def default_threads(web_concurrency: int, cpu_max: Path = CPU_MAX) -> int:
    """Return how many threads each of `web_concurrency` processes uses, so that all of them together use the CPUs of the container."""
    return max(1, available_cpus(cpu_max) // web_concurrency)


def available_cpus(cpu_max: Path = CPU_MAX) -> int:
    """Return the number of whole CPUs that this process may use: those of the machine, unless the container is limited to fewer."""
    cpus = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    try:
        quota, period = cpu_max.read_text().split()
        # A fraction is left to the event loop: threads that use up the quota would stop the whole container until the next period.
        limit = int(quota) // int(period)
    except (OSError, ValueError, ZeroDivisionError):  # there is no cgroup v2, or it has no limit
        return cpus
    return max(1, min(cpus, limit))


def lower_priority() -> None:
    """Give the calling thread a lower priority than the event loop, so that hashing does not delay other requests.

    Only Linux has priorities of threads. On other systems the call would change the priority of a process, so nothing is changed there.
    """
    if sys.platform == "linux":
        with suppress(OSError):  # a sandbox may forbid the call; then the threads have the normal priority
            thread = threading.get_native_id()
            os.setpriority(os.PRIO_PROCESS, thread, max(NICE, os.getpriority(os.PRIO_PROCESS, thread)))
