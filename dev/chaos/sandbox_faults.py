"""Faults of Paystack that are set at the sandbox: lost, slow and failed responses, and repeated and reordered webhooks."""

import asyncio
import contextlib
import random
from typing import Any

import httpx

from dev.chaos.client import Client, ExpectationFailed

FAULTS: tuple[dict[str, Any], ...] = (
    {},
    {"webhooks": {"reverse_ms": 1_000}},
    {"webhooks": {"deliveries": 2, "again_after_ms": 3_000}},
    {"latency_ms": 200},
    {"initialize": {"mode": "reset", "times": 2}},
    {"initialize": {"mode": "error_500", "times": 3}},
    {"verify": {"mode": "error_500", "times": 5}},
    {"verify": {"mode": "html_200", "times": 3}, "others": {"mode": "error_500", "times": 2}},
    {"refund_writes": {"mode": "reset", "times": 1}},
    {"refund_reads": {"mode": "rate_limited", "times": 2}},
)
PAUSE = (3.0, 8.0)
"""The shortest and the longest time until the next faults are set, in seconds."""


class SandboxFaults:
    """Sets other faults every few seconds, and removes all faults at the end."""

    def __init__(self, client: Client, rng: random.Random) -> None:
        self._client = client
        self._rng = rng
        self._url = f"{client.env['SANDBOX_URL']}/sandbox/faults"

    async def inject(self, seconds: float) -> None:
        """Set faults for `seconds`. While the sandbox is down, no faults are set."""
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            while clock() - began < seconds:
                faults, pause = self._rng.choice(FAULTS), self._rng.uniform(*PAUSE)
                with contextlib.suppress(httpx.HTTPError):
                    await self._client.request("PUT", self._url, json=faults)
                await asyncio.sleep(min(pause, max(0.0, seconds - (clock() - began))))
        finally:
            with contextlib.suppress(ExpectationFailed):  # a restarted sandbox has no faults
                await self._client.retry("DELETE", self._url, seconds=10)
