"""The sweep at Paystack's live rate limit: how many payments it verifies per minute, and whether its estimate is right."""

import asyncio
import json
from dataclasses import dataclass

import asyncpg
import httpx

from bench import databases, purchases
from bench.intake import new_events
from bench.webhook_events import AMOUNT, CURRENCY, order_id_of
from dev import PROJECT
from dev.stack.stack import Stack

LIVE_LIMIT = 3_000
"""Calls of verify per 60 seconds in live mode, as Paystack documents. The benchmark sets this rate limit at the sandbox."""
TEST_LIMIT = 100
"""Calls per 60 seconds in test mode."""

MANY_PAYMENTS = 10_000
MAX_SECONDS = 180.0


class NotSwept(Exception):
    """The sweep failed, or verified fewer payments than were due."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """The result of a sweep. `estimated` and `took` are seconds; `limit` is calls per minute."""

    verified: int
    estimated: float
    took: float
    limit: int = LIVE_LIMIT

    @property
    def per_minute(self) -> float:
        """Return the verified payments per minute."""
        return self.verified / self.took * 60

    def seconds_for(self, payments: int, limit: int) -> float:
        """Return the seconds for a number of payments under `limit`, if the sweep uses the same fraction of the rate limit as here."""
        return payments / (self.per_minute / self.limit * limit) * 60


async def sweep(stack: Stack, payments: int, key: str) -> Sweep:
    """Insert pending payments and run the operators' command `sweep`. The worker must be stopped. Raises NotSwept."""
    references = new_events(payments, key).references()
    database = await asyncpg.connect(stack.env["PAYMENTS_DATABASE_URL"], timeout=5)
    try:
        orders = [order_id_of(reference) for reference in references]
        await database.execute(purchases.PAYMENTS, references, orders, AMOUNT, CURRENCY)
    finally:
        await database.close(timeout=5)
    faults = f"{stack.env['SANDBOX_URL']}/sandbox/faults"
    async with httpx.AsyncClient(timeout=10, trust_env=False) as client:
        (await client.put(faults, json={"rate_limit": LIVE_LIMIT})).raise_for_status()
        try:
            result = await _run_command(stack)
        finally:
            await client.delete(faults)
    if result["attempted"] < payments:
        raise NotSwept(f"{result['attempted']} of {payments} payments were verified")
    return Sweep(int(result["attempted"]), result["expected_seconds"], result["seconds"])


async def _run_command(stack: Stack) -> dict[str, float]:
    environment = {
        **stack.service_env("payments"),
        "PAYMENTS_PAYSTACK_CALLS_PER_MINUTE": str(LIVE_LIMIT),
        "LOG_LEVEL": "ERROR",
    }
    process = await asyncio.create_subprocess_exec(
        *databases.service_command("payments", "sweep"),
        "--all",
        "--json",
        cwd=PROJECT,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(MAX_SECONDS):
            output, _ = await process.communicate()
    except TimeoutError as error:
        process.kill()
        raise NotSwept(f"the sweep did not finish within {MAX_SECONDS:g} s") from error
    if process.returncode:
        raise NotSwept(f"the sweep exited with code {process.returncode}")
    found: dict[str, float] = json.loads(output)
    return found
