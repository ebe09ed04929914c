"""The sweep against Paystack's live limit: how many payments a minute it asks about, and whether that is what it said."""

import asyncio
import json
from dataclasses import dataclass

import asyncpg
import httpx

from bench import databases, purchases
from bench.intake import fresh
from bench.webhook_events import AMOUNT, CURRENCY, order_of
from dev import PROJECT
from dev.stack.stack import Stack

LIVE_VERIFY = 3_000
"""Calls of verify in 60 seconds that Paystack documents for live mode; the sandbox refuses more, as Paystack does."""

TEST = 100
MANY = 10_000
LONGEST_SECONDS = 180.0


class NotSwept(Exception):
    """The sweep failed, or asked about fewer payments than were due."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """`said` and `took` are seconds; `limit` is calls a minute."""

    asked: int
    said: float
    took: float
    limit: int = LIVE_VERIFY

    @property
    def a_minute(self) -> float:
        return self.asked / self.took * 60

    def seconds_for(self, payments: int, limit: int) -> float:
        """At the share of a limit that it took here."""
        return payments / (self.a_minute / self.limit * limit) * 60


async def sweep(stack: Stack, payments: int, key: str) -> Sweep:
    """The operators' command, on its own: the worker must be down. Raises NotSwept."""
    references = fresh(payments, key).references()
    database = await asyncpg.connect(stack.env["PAYMENTS_DATABASE_URL"], timeout=5)
    try:
        orders = [order_of(reference) for reference in references]
        await database.execute(purchases.PAYMENTS, references, orders, AMOUNT, CURRENCY)
    finally:
        await database.close(timeout=5)
    weather = f"{stack.env['SANDBOX_URL']}/sandbox/faults"
    async with httpx.AsyncClient(timeout=10, trust_env=False) as client:
        (await client.put(weather, json={"rate_limit": LIVE_VERIFY})).raise_for_status()
        try:
            told = await _command(stack)
        finally:
            await client.delete(weather)
    if told["asked"] < payments:
        raise NotSwept(f"{told['asked']} of {payments} payments were asked about")
    return Sweep(int(told["asked"]), told["seconds_expected"], told["seconds"])


async def _command(stack: Stack) -> dict[str, float]:
    environment = {
        **stack.environment("payments"),
        "PAYMENTS_PAYSTACK_CALLS_PER_MINUTE": str(LIVE_VERIFY),
        "LOG_LEVEL": "ERROR",
    }
    process = await asyncio.create_subprocess_exec(
        *databases.command("payments", "sweep"),
        "--all",
        "--json",
        cwd=PROJECT,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(LONGEST_SECONDS):
            told, _ = await process.communicate()
    except TimeoutError as error:
        process.kill()
        raise NotSwept(f"it did not end within {LONGEST_SECONDS:g} s") from error
    if process.returncode:
        raise NotSwept(f"it ended with code {process.returncode}")
    found: dict[str, float] = json.loads(told)
    return found
