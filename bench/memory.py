"""How much memory each process holds."""

from dataclasses import dataclass

import psutil

from dev.stack.names import PROCESSES, variable_prefix
from dev.stack.stack import Stack

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Memory:
    """MiB of one part, its children included.

    `resident` counts a page that several processes share in each of them, `own` only what nobody shares; `proportional` (Linux) gives
    each sharer its part.
    """

    processes: int
    resident: float
    own: float
    proportional: float | None

    @property
    def held(self) -> float:
        """What the part takes of the machine: for several processes the resident sum would count Postgres's buffers once for each."""
        return self.resident if self.processes == 1 or self.proportional is None else self.proportional


def measure(stack: Stack) -> dict[str, Memory]:
    """Every part of the stack, by name."""
    return {name: _of(stack.pid(name)) for name in PROCESSES if stack.env[f"PID_{variable_prefix(name)}"]}


def _of(pid: int) -> Memory:
    parent = psutil.Process(pid)
    infos = []
    for process in (parent, *parent.children(recursive=True)):
        try:
            infos.append(process.memory_full_info())
        except psutil.Error:
            continue
    shared_out = [info.pss for info in infos if hasattr(info, "pss")]
    return Memory(
        processes=len(infos),
        resident=sum(info.rss for info in infos) / MIB,
        own=sum(info.uss for info in infos) / MIB,
        proportional=sum(shared_out) / MIB if shared_out else None,
    )
