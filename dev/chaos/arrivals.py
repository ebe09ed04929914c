"""A crowd: buyers who come at a steady rate, whatever has died."""

import asyncio
import random

import httpx

from dev.chaos.client import Client, Json, NotSo
from dev.chaos.scenarios import KINDS, Buyer, TooLate


class Crowd:
    """Buyers at a steady rate; each purchase's choices follow from the seed and its number."""

    def __init__(self, client: Client, seed: int, rate: float, most_at_once: int) -> None:
        self.begun = 0
        self.done = 0
        self.late = 0
        self.gave_up: list[str] = []
        self._client = client
        self._seed = seed
        self._rate = rate
        self._most = most_at_once
        self._buying: set[asyncio.Task[None]] = set()

    @property
    def buying(self) -> int:
        return len(self._buying)

    async def buy(self, seconds: float, plenty: Json, scarce: Json) -> None:
        """New buyers for so many seconds; where they are too many already, the next one waits at the door."""
        clock = asyncio.get_running_loop().time
        began = clock()
        while (passed := clock() - began) < seconds:
            if self.begun < passed * self._rate and self.buying < self._most:
                task = asyncio.create_task(self._one(self.begun, plenty, scarce))
                self._buying.add(task)
                task.add_done_callback(self._buying.discard)
                self.begun += 1
            else:
                await asyncio.sleep(0.5 / self._rate)

    async def leave(self, seconds: float) -> None:
        """Waits for those who are at it; who is not done then has given up."""
        if self._buying:
            _, late = await asyncio.wait(self._buying, timeout=seconds)
            self.gave_up += [f"a buyer was not done after {seconds:.0f} s" for _ in late]
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _one(self, number: int, plenty: Json, scarce: Json) -> None:
        dice = random.Random(f"{self._seed} buyer {number}")
        (kind,) = dice.choices([kind for kind, _ in KINDS], [weight for _, weight in KINDS])
        buyer = Buyer(self._client, dice, plenty, scarce)
        try:
            await kind(buyer)
        except TooLate:
            self.late += 1
        except (NotSo, httpx.HTTPError, ValueError) as error:
            self.gave_up.append(f"buyer {number}, {kind.__name__}: {error}"[:400])
        else:
            self.done += 1
