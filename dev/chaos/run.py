"""One trial of a stack: a crowd buys while a storm rages; then all comes to rest, and the invariants are looked at."""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import httpx

from dev.chaos import rules
from dev.chaos.arrivals import Crowd
from dev.chaos.client import Client
from dev.chaos.invariants import AT_REST, Differences, Invariants
from dev.chaos.leaks import Logs
from dev.chaos.process_faults import Fault, Storm
from dev.chaos.report import BAR_SECONDS, Delays, counts
from dev.chaos.sandbox_faults import Weather
from dev.chaos.snapshot import Facts
from dev.process.console import Console
from dev.stack.stack import PARTS, Stack

RATE = 6.0
MOST_AT_ONCE = 120
"""Buyers a second, and at once: what two cores carry beside the restarts."""
PROGRESS_SECONDS = 10.0
LEAVE_SECONDS = 150.0
PLENTY, SCARCE = 1_000_000, 12


@dataclass(frozen=True, slots=True)
class Outcome:
    differences: Differences
    numbers: dict[str, object]
    faults: Sequence[Fault]
    bought: int

    @property
    def passed(self) -> bool:
        return not any(self.differences.values()) and self.bought > 0 and len(self.faults) > 0


async def trial(
    stack: Stack,
    seconds: float,
    seed: int,
    *,
    logs: Logs,
    console: Console,
    say: Callable[[str], None],
    parts: Sequence[str] = PARTS,
) -> Outcome:
    limits = httpx.Limits(max_connections=200, max_keepalive_connections=50)
    async with httpx.AsyncClient(timeout=15, trust_env=False, limits=limits) as http:
        client = Client(stack.env, stack.folder / "keys", http)
        invariants = Invariants(stack, client, logs, console)
        plenty, scarce = await client.product(stock=PLENTY), await client.product(stock=SCARCE)
        crowd = Crowd(client, seed, RATE, MOST_AT_ONCE)
        storm = Storm(stack, random.Random(f"{seed} storm"), lambda fault: say(_told(fault)), parts)
        weather = Weather(client, random.Random(f"{seed} weather"))
        progress = asyncio.create_task(_progress(crowd, client, storm, say))
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(crowd.buy(seconds, plenty, scarce))
                group.create_task(weather.change(seconds))
                group.create_task(storm.rage(seconds))
            say(f"the storm is over; {crowd.buying} buyers are still at it")
            await crowd.leave(LEAVE_SECONDS)
        finally:
            progress.cancel()
    differences = await invariants.found(AT_REST)
    at_rest = time.time()
    facts = await invariants.sources.facts()
    return await _outcome(invariants, facts, differences, crowd, storm, at_rest)


async def _progress(crowd: Crowd, client: Client, storm: Storm, say: Callable[[str], None]) -> None:
    began = time.monotonic()
    while True:
        await asyncio.sleep(PROGRESS_SECONDS)
        seen = client.seen
        say(
            f"{time.monotonic() - began:5.0f} s  buyers {crowd.begun}: {crowd.done} done, {crowd.buying} at it, {crowd.late} too late,"
            f" {len(crowd.gave_up)} gave up; {len(storm.faults)} faults; answers {seen.answers.total()}, of them"
            f" {seen.answers[503]} 503; {seen.broken} connections broken"
        )


async def _outcome(
    invariants: Invariants, facts: Facts, differences: Differences, crowd: Crowd, storm: Storm, at_rest: float
) -> Outcome:
    delays = Delays.of(facts, storm.last)
    differences["I1"] += rules.no_money_invented(facts, invariants.promised)
    differences["promises"] += [*rules.no_order_twice(facts, invariants.promised), *crowd.gave_up]
    never = [f"{fault.part}: not ready again after {fault.how}" for fault in storm.faults if fault.back is None]
    differences["I8"] += never
    differences["I8"] += [f"{part}: ended by itself {count} times" for part, count in storm.deaths().items()]
    if delays.after_last_fault > BAR_SECONDS:
        differences["I2"].append(
            f"delivered only {delays.after_last_fault:.1f} s after the last fault (bar: {BAR_SECONDS:.0f} s)"
        )
    notices = (await invariants.rows("payments", "SELECT count(*) AS count FROM notices"))[0]["count"]
    waits = sorted(delays.waits) or [0.0]
    numbers: dict[str, object] = {
        "buyers": f"{crowd.begun}: {crowd.done} done, {crowd.late} too late (expired or sold out), {len(crowd.gave_up)} gave up",
        **counts(facts, await invariants.sources.webhooks_taken(), notices),
        "from payment to delivery": f"{waits[len(waits) // 2]:.2f} s in the middle, {waits[-1]:.1f} s at most",
        "last delivery after the last fault": f"{delays.after_last_fault:.1f} s",
        "all at rest after the last fault": f"{at_rest - storm.last:.1f} s",
    }
    return Outcome(differences, numbers, storm.faults, len(delays.waits))


def _told(fault: Fault) -> str:
    back = "not ready again" if fault.back is None else f"ready again after {fault.back - fault.at:.1f} s"
    return f"{fault.at:5.1f} s  {fault.how} {fault.part}: {back}"
