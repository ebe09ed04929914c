"""Kill, freeze or stop random processes of a stack. A fault is over when its process is ready again."""

import asyncio
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dev.process.program import NotStarted
from dev.stack.names import PROCESSES
from dev.stack.stack import Stack

SIGNALS = (("SIGKILL", 8), ("SIGSTOP", 2), ("SIGTERM", 2))
"""The faults with their relative frequencies. SIGTERM means the stop signal of the process, which is SIGINT for Postgres."""
PAUSE, FREEZE = (2.0, 5.0), (1.0, 4.0)
"""The shortest and the longest time between two faults, and the duration of a SIGSTOP, in seconds."""
RECOVERY_SECONDS = 90.0
BROKER_SAFE_AFTER = 8.0
"""Seconds of the run in which RabbitMQ gets no fault. RabbitMQ 3.10 loses a quorum queue if it is killed within about a second after
the declaration of the queue (docs/decisions/0003)."""


@dataclass(frozen=True, slots=True)
class ProcessFault:
    """A fault of a process. `at` and `recovered_at`: seconds since the start of the run; `recovered_at` is None if it did not recover."""

    at: float
    process: str
    signal: str
    recovered_at: float | None


class ProcessFaults:
    """Injects faults and calls `on_fault` when a fault is over. A process that is not ready gets no fault; another one gets it."""

    def __init__(
        self,
        stack: Stack,
        rng: random.Random,
        on_fault: Callable[[ProcessFault], None],
        processes: Sequence[str] = PROCESSES,
    ) -> None:
        self.faults: list[ProcessFault] = []
        self.last_at: float = 0.0
        """The time of the last fault, or of the end of the last freeze if it is later, as time.time()."""
        self._stack = stack
        self._rng = rng
        self._on_fault = on_fault
        self._processes = processes
        self._busy: set[str] = set()
        self._start_counts = {process: stack.start_count(process) for process in PROCESSES}

    def unexpected_exits(self) -> dict[str, int]:
        """Return how often each process exited without a fault. No process may exit because another one did."""
        injections = Counter(fault.process for fault in self.faults if fault.signal != "SIGSTOP")
        exits = {
            process: self._stack.start_count(process) - before - injections[process]
            for process, before in self._start_counts.items()
        }
        return {process: count for process, count in exits.items() if count > 0}

    async def inject(self, seconds: float) -> None:
        """Inject faults for `seconds`. Return when all faults are over, or RECOVERY_SECONDS after the last fault."""
        began = time.monotonic()
        async with asyncio.TaskGroup() as injections:
            while True:
                # Draw all random numbers in every round, so that the same seed gives the same choices.
                pause, candidates = self._rng.uniform(*PAUSE), self._rng.sample(self._processes, len(self._processes))
                name = self._rng.choices([name for name, _ in SIGNALS], [weight for _, weight in SIGNALS])[0]
                freeze = self._rng.uniform(*FREEZE)
                if time.monotonic() - began + pause > seconds:
                    return
                await asyncio.sleep(pause)
                at = time.monotonic() - began
                process = next((each for each in candidates if self._can_inject(each, at)), None)
                if process is not None:
                    self._busy.add(process)
                    self.last_at = time.time()
                    injections.create_task(self._inject_into(process, name, freeze, began))

    def _can_inject(self, process: str, at: float) -> bool:
        protected = process == "rabbitmq" and at < BROKER_SAFE_AFTER
        return process not in self._busy and self._stack.is_ready(process) and not protected

    async def _inject_into(self, process: str, name: str, freeze: float, began: float) -> None:
        at = time.monotonic() - began
        try:
            if name == "SIGSTOP":
                await self._freeze(process, freeze)
            else:
                pid = self._stack.pid(process)
                number = self._stack.program(process).stop_signal if name == "SIGTERM" else signal.SIGKILL
                name = number.name
                os.kill(pid, number)
                await self._stack.wait_restarted(process, pid, RECOVERY_SECONDS)
        except (ProcessLookupError, NotStarted):
            return  # the process exited before the signal; `unexpected_exits` counts this
        except TimeoutError:
            recovered_at = None
        else:
            recovered_at = time.monotonic() - began
        finally:
            self._busy.discard(process)
        fault = ProcessFault(at, process, name, recovered_at)
        self.faults.append(fault)
        self._on_fault(fault)

    async def _freeze(self, process: str, seconds: float) -> None:
        """Stop a process and its children with SIGSTOP, and always continue them."""
        group = os.getpgid(self._stack.pid(process))
        os.killpg(group, signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            os.killpg(group, signal.SIGCONT)
            self.last_at = time.time()
        await self._stack.wait_ready(process, RECOVERY_SECONDS)
