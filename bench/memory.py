"""Memory of each process of the stack."""

from dataclasses import dataclass

import psutil

from dev.stack.names import PROCESSES, variable_prefix
from dev.stack.stack import Stack

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of one process and its children, in MiB.

    `resident` counts a shared page once per process, `own` counts unshared pages only, and `proportional` (Linux) divides
    a shared page by the number of processes that share it.
    """

    processes: int
    resident: float
    own: float
    proportional: float | None

    @property
    def used(self) -> float:
        """Return `resident` for one process, else `proportional`: the sum of `resident` would count Postgres's buffers once per child."""
        return self.resident if self.processes == 1 or self.proportional is None else self.proportional


def measure(stack: Stack) -> dict[str, Memory]:
    """Return the memory of each running process of the stack."""
    return {name: _of(stack.pid(name)) for name in PROCESSES if stack.env[f"PID_{variable_prefix(name)}"]}


def _of(pid: int) -> Memory:
    parent = psutil.Process(pid)
    infos = []
    for process in (parent, *parent.children(recursive=True)):
        try:
            infos.append(process.memory_full_info())
        except psutil.Error:
            continue
    proportional = [info.pss for info in infos if hasattr(info, "pss")]
    return Memory(
        processes=len(infos),
        resident=sum(info.rss for info in infos) / MIB,
        own=sum(info.uss for info in infos) / MIB,
        proportional=sum(proportional) / MIB if proportional else None,
    )
