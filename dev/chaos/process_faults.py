"""Kills, freezes and stops of the parts of a stack, at random; each is seen through until the part is ready again."""

import asyncio
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dev.process.supervisor import NotStarted
from dev.stack.stack import PARTS, Stack

HOW = (("SIGKILL", 8), ("SIGSTOP", 2), ("SIGTERM", 2))
"""And how often in comparison. A stop is with the signal that the part is stopped with: Postgres's is SIGINT."""
PAUSE = (2.0, 5.0)
FROZEN = (1.0, 4.0)
BACK_SECONDS = 90.0
BROKER_SPARED = 8.0
"""RabbitMQ 3.10 loses a quorum queue that is killed within a second or so of its declaration: no fault of ours (5 s are called safe)."""


@dataclass(frozen=True, slots=True)
class Fault:
    """`at` and `back`: seconds since the storm began; `back`: when the part was ready again, None where it was not."""

    at: float
    part: str
    how: str
    back: float | None


class Storm:
    """`say` hears of each fault when it is over. The choices follow from `dice`; only where a part is not ready, another takes its turn."""

    def __init__(
        self, stack: Stack, dice: random.Random, say: Callable[[Fault], None], parts: Sequence[str] = PARTS
    ) -> None:
        self.faults: list[Fault] = []
        self.last: float = 0.0
        """When the last fault was begun, as time.time()."""
        self._stack = stack
        self._dice = dice
        self._say = say
        self._parts = parts
        self._busy: set[str] = set()
        self._lives = {part: stack.lives(part) for part in PARTS}

    def deaths(self) -> dict[str, int]:
        """How often each part ended that was not hit: no part dies of another's death."""
        hits = Counter(fault.part for fault in self.faults if fault.how != "SIGSTOP")
        more = {part: self._stack.lives(part) - was - hits[part] for part, was in self._lives.items()}
        return {part: count for part, count in more.items() if count > 0}

    async def rage(self, seconds: float) -> None:
        """Returns when every part that was hit is ready again, or has had BACK_SECONDS to become so."""
        began = time.monotonic()
        async with asyncio.TaskGroup() as hits:
            while True:
                pause, order = self._dice.uniform(*PAUSE), self._dice.sample(self._parts, len(self._parts))
                how = self._dice.choices([name for name, _ in HOW], [weight for _, weight in HOW])[0]
                frozen = self._dice.uniform(*FROZEN)
                if time.monotonic() - began + pause > seconds:
                    return
                await asyncio.sleep(pause)
                at = time.monotonic() - began
                part = next((name for name in order if self._may_hit(name, at)), None)
                if part is not None:
                    self._busy.add(part)
                    self.last = time.time()
                    hits.create_task(self._hit(part, how, frozen, began))

    def _may_hit(self, part: str, at: float) -> bool:
        spared = part == "rabbitmq" and at < BROKER_SPARED
        return part not in self._busy and self._stack.is_ready(part) and not spared

    async def _hit(self, part: str, how: str, frozen: float, began: float) -> None:
        at = time.monotonic() - began
        try:
            if how == "SIGSTOP":
                await self._freeze(part, frozen)
            else:
                pid = self._stack.pid(part)
                number = self._stack.stop_signal(part) if how == "SIGTERM" else signal.SIGKILL
                how = number.name
                os.kill(pid, number)
                await self._stack.revived(part, pid, BACK_SECONDS)
        except (ProcessLookupError, NotStarted):
            return  # it died by itself a moment before: `deaths` counts that
        except TimeoutError:
            back = None
        else:
            back = time.monotonic() - began
        finally:
            self._busy.discard(part)
        fault = Fault(at, part, how, back)
        self.faults.append(fault)
        self._say(fault)

    async def _freeze(self, part: str, seconds: float) -> None:
        """With all that it started; it thaws whatever happens."""
        group = os.getpgid(self._stack.pid(part))
        os.killpg(group, signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            os.killpg(group, signal.SIGCONT)
            self.last = time.time()
        await self._stack.answers(part, BACK_SECONDS)
