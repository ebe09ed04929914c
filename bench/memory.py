"""How much memory each process holds."""

from dataclasses import dataclass

import psutil

from dev.stack import PARTS, Stack

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Memory:
    """MiB of one part, its children included. `resident` counts pages that processes share in each of them; `own` is what nobody
    shares, and `proportional` (Linux) gives each sharer its part: the honest sum for Postgres's many processes."""

    resident: float
    own: float
    proportional: float | None


def measure(stack: Stack) -> dict[str, Memory]:
    """Every part of the stack, by name."""
    return {name: _of(stack.pid(name)) for name in PARTS if stack.env[f"PID_{name.upper().replace('-', '_')}"]}


def _of(pid: int) -> Memory:
    parent = psutil.Process(pid)
    infos = []
    for process in (parent, *parent.children(recursive=True)):
        try:
            infos.append(process.memory_full_info())
        except psutil.NoSuchProcess:
            continue
    shared_out = [info.pss for info in infos if hasattr(info, "pss")]
    return Memory(
        resident=sum(info.rss for info in infos) / MIB,
        own=sum(info.uss for info in infos) / MIB,
        proportional=sum(shared_out) / MIB if shared_out else None,
    )
