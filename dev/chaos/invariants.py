"""The one checker: what must be true of a stack at rest, whatever died before."""

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import aio_pika
import asyncpg
import httpx

from dev.chaos import resources as processes
from dev.chaos import rules
from dev.chaos.client import Client, Promised, Seen, until
from dev.chaos.leaks import Logs, secrets_of
from dev.chaos.snapshot import Facts, Sources
from dev.process.console import Console
from dev.stack.stack import Stack

AT_REST = 90.0
"""Longer than the lease of a refund whose worker was killed in the middle."""

MOST_NAMED = 10
AWAY = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    httpx.HTTPError,
    aio_pika.exceptions.AMQPError,
)

TITLES = {
    "I1": "paid at Paystack: settled here",
    "I2": "paid: delivered once, or on its way back",
    "I3": "delivered: paid, in amount and currency",
    "I4": "stock + reserved + sold = what was there",
    "I5": "outboxes, inboxes and dead letters empty",
    "I6": "no 5xx but 503 with Retry-After",
    "I7": "no secret in a log",
    "I8": "connections, files and memory given back",
    "ledger": "balanced, and as the payments say",
    "refunds": "the same here and at Paystack",
    "undeliverable": "given back once, and whole",
    "promises": "what was answered 201 or 202 is there",
}

Differences = dict[str, list[str]]


class Broken(AssertionError):
    """Something is not as it must be; the message names every difference."""


class Invariants:
    """`client`: who bought, for what it saw and was promised. `logs`: what the parts printed, with the console that writes it."""

    def __init__(
        self, stack: Stack, client: Client | None = None, logs: Logs | None = None, console: Console | None = None
    ) -> None:
        self.stack = stack
        self.sources = Sources(stack.env, datetime.now(UTC) - timedelta(seconds=1))
        self._client = client
        self._logs = logs
        self._console = console
        self._leaks_before = len(logs.leaks) if logs else 0
        self._wrong_before = len(client.seen.wrong) if client else 0
        self._footprints = processes.footprints(stack.env)

    @property
    def promised(self) -> Promised:
        return self._client.promised if self._client else Promised()

    async def rows(self, service: str, query: str, *args: Any) -> list[Any]:
        async with self.sources.database(service) as connection:
            return list(await connection.fetch(query, *args, timeout=10))

    async def dead_letters(self) -> dict[str, int]:
        return await self.sources.dead_letters()

    async def at_rest(self, seconds: float = AT_REST) -> None:
        """Waits until nothing is under way: no notice unsettled, no event unsent or untaken, no refund unfinished. Raises NotSo."""

        async def quiet() -> bool | None:
            try:
                waiting = await self.sources.waiting()
                if any(one.state != "failed" for one in waiting):
                    return None
                facts = await self.sources.facts()
            except AWAY:
                return None
            return None if [*rules.settled(facts), *rules.delivered_once(facts)] else True

        await until(quiet, seconds)

    def differences(self, facts: Facts) -> Differences:
        """Every difference, by the invariant that it breaks; nothing for one that holds."""
        client, promised = self._client, self.promised
        seen = Seen(wrong=client.seen.wrong[self._wrong_before :]) if client else Seen()
        found = {
            "I1": rules.settled(facts),
            "I2": rules.delivered_once(facts),
            "I3": rules.paid_for(facts),
            "I4": rules.stock_kept(facts, promised.stock),
            "I5": rules.nothing_stuck(facts),
            "I6": rules.answered_well(seen),
            "I7": self._leaks(),
            "I8": [
                *processes.left_open(facts.connections),
                *processes.grown(self._footprints, processes.footprints(self.stack.env)),
            ],
            "ledger": rules.balanced(facts),
            "refunds": rules.refunded_alike(facts),
            "undeliverable": rules.compensated_once(facts),
            "promises": rules.promises_kept(facts, promised),
        }
        return {name: list(each) for name, each in found.items()}

    async def found(self, seconds: float = AT_REST) -> Differences:
        """The differences that are still there after `seconds`, or none as soon as there are none."""
        deadline = time.monotonic() + seconds
        pause = 0.05
        while True:
            try:
                differences = await self._look()
            except AWAY as error:
                differences = {"I5": [f"cannot be looked at: {error!r}"]}
            if not any(differences.values()) or time.monotonic() > deadline:
                return differences
            await asyncio.sleep(pause)
            pause = min(2 * pause, 2.0)

    async def hold(self, seconds: float = AT_REST) -> None:
        """Raises Broken with every difference that has not gone away by itself after `seconds`."""
        differences = await self.found(seconds)
        if any(differences.values()):
            raise Broken(f"not as it must be:\n{in_words(differences)}")

    async def _look(self) -> Differences:
        if self._logs and self._console:
            await asyncio.to_thread(self._console.flush)
            await asyncio.to_thread(self._logs.read_on, secrets_of(self.stack.env))
        return self.differences(await self.sources.facts())

    def _leaks(self) -> list[str]:
        return self._logs.leaks[self._leaks_before :] if self._logs else []


def in_words(differences: Mapping[str, list[str]]) -> str:
    lines = []
    for name, found in differences.items():
        lines += [f"  {name}, {TITLES[name]}: {one}" for one in found[:MOST_NAMED]]
        if len(found) > MOST_NAMED:
            lines.append(f"  {name}: and {len(found) - MOST_NAMED} more")
    return "\n".join(lines)
