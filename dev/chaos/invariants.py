"""The invariants of a stack after all work is finished, even if processes crashed before. `make chaos` and tests check them."""

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import aio_pika
import asyncpg
import httpx

from dev.chaos import resources, rules
from dev.chaos.client import Acknowledged, Answers, Client, until
from dev.chaos.leaks import LogScanner, secrets_of
from dev.chaos.snapshot import Snapshot, SnapshotReader
from dev.process.console import Console
from dev.stack.stack import Stack

IDLE_SECONDS = 90.0
"""Time limit for unfinished work. It is longer than the lease of a refund whose worker was killed."""
MIN_PAUSE, MAX_PAUSE = 0.05, 2.0
MAX_MESSAGES = 10
OUTAGE = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    httpx.HTTPError,
    aio_pika.exceptions.AMQPError,
)

TITLES = {
    "I1": "paid at Paystack: settled here",
    "I2": "paid: delivered once, or refunded",
    "I3": "delivered: paid, with the right amount and currency",
    "I4": "on hand + sold = initial stock, and the movements add up to the level",
    "I5": "all webhook events, events and refunds finished, no dead letters",
    "I6": "no 5xx except 503 with Retry-After",
    "I7": "no secret in a log",
    "I8": "connections, files and memory released",
    "ledger": "balanced, and equal to the payments",
    "refunds": "equal here and at Paystack",
    "undeliverable": "refunded once, in full",
    "acknowledged": "everything answered with 201 or 202 exists",
}

Violations = dict[str, list[str]]


class InvariantViolated(AssertionError):
    """At least one invariant does not hold; the message lists the violations."""


class Invariants:
    """Checks a stack. With `client`, also checks its answers; with `logs` and the `console` that writes them, also searches for secrets."""

    def __init__(
        self, stack: Stack, client: Client | None = None, logs: LogScanner | None = None, console: Console | None = None
    ) -> None:
        self.stack = stack
        self.reader = SnapshotReader(stack.env, datetime.now(UTC) - timedelta(seconds=1))
        self._client = client
        self._logs = logs
        self._console = console
        self._leaks_before = len(logs.leaks) if logs else 0
        self._invalid_before = len(client.answers.invalid) if client else 0
        self._usage_before = resources.usage(stack.env)

    @property
    def acknowledged(self) -> Acknowledged:
        """Return what the client's answers acknowledged."""
        return self._client.acknowledged if self._client else Acknowledged()

    async def rows(self, service: str, query: str, *args: Any) -> list[Any]:
        """Query the database of a service."""
        async with self.reader.database(service) as connection:
            return list(await connection.fetch(query, *args, timeout=10))

    async def dead_letters(self) -> dict[str, int]:
        """Return the number of messages in the dead-letter queue of each queue of contracts/topology.py."""
        return await self.reader.dead_letters()

    async def wait_idle(self, seconds: float = IDLE_SECONDS) -> None:
        """Wait until webhook events, events, refunds and deliveries are processed or failed. Raises ExpectationFailed after `seconds`."""

        async def idle() -> bool | None:
            try:
                unfinished = await self.reader.unfinished()
                if any(entry.state != "failed" for entry in unfinished):
                    return None
                snapshot = await self.reader.read()
            except OUTAGE:
                return None
            return None if [*rules.payments_settled(snapshot), *rules.delivered_once(snapshot)] else True

        await until(idle, seconds)

    def check_snapshot(self, snapshot: Snapshot) -> Violations:
        """Return the violations by invariant. The list of an invariant that holds is empty."""
        client, acknowledged = self._client, self.acknowledged
        answers = Answers(invalid=client.answers.invalid[self._invalid_before :]) if client else Answers()
        found = {
            "I1": rules.payments_settled(snapshot),
            "I2": rules.delivered_once(snapshot),
            "I3": rules.deliveries_paid(snapshot),
            "I4": rules.stock_consistent(snapshot, acknowledged.stock),
            "I5": rules.work_finished(snapshot),
            "I6": rules.answers_valid(answers),
            "I7": self._leaks(),
            "I8": [
                *resources.open_connections(snapshot.connections),
                *resources.growth(self._usage_before, resources.usage(self.stack.env)),
            ],
            "ledger": rules.ledger_balanced(snapshot),
            "refunds": rules.refunds_match(snapshot),
            "undeliverable": rules.undeliverable_refunded_once(snapshot),
            "acknowledged": rules.acknowledged_exists(snapshot, acknowledged),
        }
        return {name: list(each) for name, each in found.items()}

    async def violations(self, seconds: float = IDLE_SECONDS) -> Violations:
        """Repeat the checks until all invariants hold or `seconds` are over. Return the violations of the last check."""
        deadline = time.monotonic() + seconds
        pause = MIN_PAUSE
        while True:
            try:
                violations = await self._check_now()
            except OUTAGE as error:
                violations = {**{name: [] for name in TITLES}, "I5": [f"the snapshot failed: {error!r}"]}
            if not any(violations.values()) or time.monotonic() > deadline:
                return violations
            await asyncio.sleep(pause)
            pause = min(2 * pause, MAX_PAUSE)

    async def check(self, seconds: float = IDLE_SECONDS) -> None:
        """Repeat the checks as in `violations`. Raises InvariantViolated if violations are left after `seconds`."""
        violations = await self.violations(seconds)
        if any(violations.values()):
            raise InvariantViolated(f"invariants violated:\n{format_violations(violations)}")

    async def _check_now(self) -> Violations:
        if self._logs and self._console:
            await asyncio.to_thread(self._console.flush)
            await asyncio.to_thread(self._logs.scan, secrets_of(self.stack.env))
        return self.check_snapshot(await self.reader.read())

    def _leaks(self) -> list[str]:
        return self._logs.leaks[self._leaks_before :] if self._logs else []


def format_violations(violations: Mapping[str, list[str]]) -> str:
    """Format violations as text, at most MAX_MESSAGES per invariant."""
    lines = []
    for name, messages in violations.items():
        lines += [f"  {name}, {TITLES[name]}: {message}" for message in messages[:MAX_MESSAGES]]
        if len(messages) > MAX_MESSAGES:
            lines.append(f"  {name}: and {len(messages) - MAX_MESSAGES} more")
    return "\n".join(lines)
