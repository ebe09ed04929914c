"""Open files, memory and database connections of the processes."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import psutil

from dev.chaos.snapshot import Row
from dev.stack.names import PROCESSES, variable_prefix

MAX_FILE_GROWTH = 150
"""A process may keep a hundred HTTP connections open, so the limit is higher than that."""
MAX_MEMORY_GROWTH = {"rabbitmq": 512}
"""Growth of the memory in MB, for processes with another limit than DEFAULT_MEMORY_GROWTH."""
DEFAULT_MEMORY_GROWTH = 150
"""In MB. Caches need far less; a memory leak reaches far more within an hour."""
MAX_CONNECTIONS = 36
"""The limit for each application name. The web process and the worker of a service have the same name and up to 15 connections each;
notifications, locks and the relay have one more each."""
MAX_IDLE_IN_TRANSACTION_SECONDS = 2.0
MAX_ACTIVE_SECONDS = 10.0
MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Usage:
    """What one process uses."""

    files: int
    megabytes: int


def usage(env: Mapping[str, str]) -> dict[str, Usage | None]:
    """Return the usage of each process in a stack.env; None for one that is not running."""
    found: dict[str, Usage | None] = {}
    for name in PROCESSES:
        pid = env.get(f"PID_{variable_prefix(name)}", "")
        try:
            process = psutil.Process(int(pid))
            found[name] = Usage(process.num_fds(), process.memory_info().rss // MEGABYTE)
        except (ValueError, psutil.Error):
            found[name] = None
    return found


def growth(before: Mapping[str, Usage | None], now: Mapping[str, Usage | None]) -> Iterator[str]:
    """Yield a message for each process that has stopped, or that has many more open files or uses much more memory than before."""
    for name, current in now.items():
        earlier = before.get(name)
        if current is None:
            if earlier is not None:
                yield f"{name} is not running"
            continue
        if earlier is None:
            continue
        if current.files > earlier.files + MAX_FILE_GROWTH:
            yield f"{name}: {earlier.files} open files at the start, {current.files} now"
        if current.megabytes > earlier.megabytes + MAX_MEMORY_GROWTH.get(name, DEFAULT_MEMORY_GROWTH):
            yield f"{name}: {earlier.megabytes} MB at the start, {current.megabytes} MB now"


def open_connections(connections: Sequence[Row]) -> Iterator[str]:
    """Yield a message for each connection with a long transaction or statement, and for each application name with too many connections."""
    for row in connections:
        if row["state"].startswith("idle in transaction") and row["seconds"] > MAX_IDLE_IN_TRANSACTION_SECONDS:
            yield f"{row['name']}: {row['state']} for {row['seconds']:.0f} s"
        elif row["state"] == "active" and row["seconds"] > MAX_ACTIVE_SECONDS:
            yield f"{row['name']}: active for {row['seconds']:.0f} s"
    for name, count in Counter(row["name"] for row in connections).items():
        if count > MAX_CONNECTIONS:
            yield f"{name}: {count} connections"
