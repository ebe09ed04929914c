"""Bad weather at Paystack: lost answers, lies of the network, webhooks out of order. It changes every few seconds, and ends fair."""

import asyncio
import contextlib
import random
from typing import Any

import httpx

from dev.chaos.client import Client, NotSo

SKIES: tuple[dict[str, Any], ...] = (
    {},
    {"webhooks": {"reverse_ms": 1_000}},
    {"webhooks": {"deliveries": 2, "again_after_ms": 3_000}},
    {"latency_ms": 200},
    {"initialize": {"mode": "reset", "times": 2}},
    {"initialize": {"mode": "error_500", "times": 3}},
    {"verify": {"mode": "error_500", "times": 5}},
    {"verify": {"mode": "html_200", "times": 3}, "others": {"mode": "error_500", "times": 2}},
    {"refund": {"mode": "reset", "times": 1}},
    {"refunds": {"mode": "rate_limited", "times": 2}},
)
PAUSE = (3.0, 8.0)


class Weather:
    def __init__(self, client: Client, dice: random.Random) -> None:
        self._client = client
        self._dice = dice
        self._url = f"{client.env['SANDBOX_URL']}/sandbox/faults"

    async def change(self, seconds: float) -> None:
        """For so many seconds. A sandbox that is down has no weather."""
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            while clock() - began < seconds:
                sky, pause = self._dice.choice(SKIES), self._dice.uniform(*PAUSE)
                with contextlib.suppress(httpx.HTTPError):
                    await self._client.ask("PUT", self._url, json=sky)
                await asyncio.sleep(min(pause, max(0.0, seconds - (clock() - began))))
        finally:
            with contextlib.suppress(NotSo):  # one that is away for longer is started again, under a fair sky
                await self._client.persistently("DELETE", self._url, seconds=10)
