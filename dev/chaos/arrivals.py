"""Buyers arrive at a steady rate, even while processes are down. Each follows one scenario."""

import asyncio
import random

import httpx

from dev.chaos.buyer import Buyer, TooLate
from dev.chaos.client import Client, ExpectationFailed, Json
from dev.chaos.scenarios import SCENARIOS


class Arrivals:
    """Starts `rate` buyers per second, at most `limit` at a time. The random choices of a buyer depend only on the seed and its number."""

    def __init__(self, client: Client, seed: int, rate: float, limit: int) -> None:
        self.started = 0
        self.finished = 0
        self.too_late = 0
        self.failures: list[str] = []
        self._client = client
        self._seed = seed
        self._rate = rate
        self._limit = limit
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def active(self) -> int:
        """Return the number of buyers who have not finished."""
        return len(self._tasks)

    async def run(self, seconds: float, plenty: Json, scarce: Json) -> None:
        """Start buyers for `seconds`. No buyer is started while `limit` buyers are active."""
        clock = asyncio.get_running_loop().time
        began = clock()
        while (elapsed := clock() - began) < seconds:
            if self.started < elapsed * self._rate and self.active < self._limit:
                task = asyncio.create_task(self._run_scenario(self.started, plenty, scarce))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
                self.started += 1
            else:
                await asyncio.sleep(0.5 / self._rate)

    async def finish(self, seconds: float) -> None:
        """Wait for the active buyers. Buyers who do not finish within `seconds` are cancelled and counted as failed."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=seconds)
            self.failures += [f"a buyer did not finish within {seconds:.0f} s" for _ in late]
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _run_scenario(self, number: int, plenty: Json, scarce: Json) -> None:
        rng = random.Random(f"{self._seed} buyer {number}")
        (scenario,) = rng.choices([scenario for scenario, _ in SCENARIOS], [weight for _, weight in SCENARIOS])
        buyer = Buyer(self._client, rng, plenty, scarce)
        try:
            await scenario(buyer)
        except TooLate:
            self.too_late += 1
        except (ExpectationFailed, httpx.HTTPError, ValueError) as error:
            self.failures.append(f"buyer {number}, {getattr(scenario, '__name__', scenario)}: {error}"[:400])
        else:
            self.finished += 1
