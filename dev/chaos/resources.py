"""What the processes hold: open files, memory, and connections to the databases."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import psutil

from dev.chaos.snapshot import Row
from dev.stack.stack import PARTS

MORE_FILES = 150
"""A client may keep a hundred connections alive."""
MORE_MEGABYTES = {"rabbitmq": 512}
OTHERS_MEGABYTES = 150
"""Far above what caches and a warm interpreter take, far below what a leak reaches within an hour."""
MOST_CONNECTIONS = 24
"""Of one process name: a pool of ten with five more, twice where one has just been replaced, is fewer than this."""
SECONDS_IN_TRANSACTION = 2.0
SECONDS_ACTIVE = 10.0
MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Footprint:
    files: int
    megabytes: int


def footprints(env: Mapping[str, str]) -> dict[str, Footprint | None]:
    """Of each part of a stack that the environment names; None: it does not run."""
    found: dict[str, Footprint | None] = {}
    for part in PARTS:
        pid = env.get(f"PID_{part.upper().replace('-', '_')}", "")
        try:
            process = psutil.Process(int(pid))
            found[part] = Footprint(process.num_fds(), process.memory_info().rss // MEGABYTE)
        except (ValueError, psutil.Error):
            found[part] = None
    return found


def grown(before: Mapping[str, Footprint | None], now: Mapping[str, Footprint | None]) -> Iterator[str]:
    for part, footprint in now.items():
        was = before.get(part)
        if footprint is None:
            if was is not None:
                yield f"{part} does not run"
            continue
        if was is None:
            continue
        if footprint.files > was.files + MORE_FILES:
            yield f"{part}: {was.files} open files at the start, {footprint.files} now"
        if footprint.megabytes > was.megabytes + MORE_MEGABYTES.get(part, OTHERS_MEGABYTES):
            yield f"{part}: {was.megabytes} MB at the start, {footprint.megabytes} MB now"


def left_open(connections: Sequence[Row]) -> Iterator[str]:
    for row in connections:
        if row["state"].startswith("idle in transaction") and row["seconds"] > SECONDS_IN_TRANSACTION:
            yield f"{row['name']}: {row['state']} for {row['seconds']:.0f} s"
        elif row["state"] == "active" and row["seconds"] > SECONDS_ACTIVE:
            yield f"{row['name']}: active for {row['seconds']:.0f} s"
    for name, count in Counter(row["name"] for row in connections).items():
        if count > MOST_CONNECTIONS:
            yield f"{name}: {count} connections"
