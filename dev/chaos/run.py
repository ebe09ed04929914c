"""One chaos run on a stack: buyers and faults at the same time; then all work finishes and the invariants are checked."""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import httpx

from dev.chaos import rules
from dev.chaos.arrivals import Arrivals
from dev.chaos.client import Client
from dev.chaos.invariants import IDLE_SECONDS, Invariants, Violations
from dev.chaos.leaks import LogScanner
from dev.chaos.process_faults import ProcessFault, ProcessFaults
from dev.chaos.queries import WEBHOOK_EVENT_COUNT
from dev.chaos.report import MAX_DELIVERY_SECONDS, Delays, counts
from dev.chaos.sandbox_faults import SandboxFaults
from dev.chaos.snapshot import Snapshot
from dev.process.console import Console
from dev.process.program import NotStarted
from dev.stack.names import PROCESSES
from dev.stack.stack import Stack

BUYERS_PER_SECOND = 6.0
MAX_ACTIVE_BUYERS = 120
"""The maximum number of buyers at the same time: as many as two cores can serve while processes restart."""
PROGRESS_SECONDS = 10.0
FINISH_SECONDS = 150.0
PLENTY, SCARCE = 1_000_000, 12


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a run. `numbers`: the numbers of the report by title. `deliveries`: the number of delivered orders."""

    violations: Violations
    numbers: dict[str, object]
    faults: Sequence[ProcessFault]
    deliveries: int

    @property
    def passed(self) -> bool:
        """Return True if all invariants hold, at least one order was delivered and at least one process fault was injected."""
        return not any(self.violations.values()) and self.deliveries > 0 and len(self.faults) > 0


async def run(
    stack: Stack,
    seconds: float,
    seed: int,
    *,
    logs: LogScanner,
    console: Console,
    progress: Callable[[str], None],
    processes: Sequence[str] = PROCESSES,
) -> Result:
    """Run chaos for `seconds` with faults of `processes`. `progress` receives a line after each fault and every ten seconds."""
    limits = httpx.Limits(max_connections=200, max_keepalive_connections=50)
    async with httpx.AsyncClient(timeout=15, trust_env=False, limits=limits) as http:
        client = Client(stack.env, stack.folder / "keys", http)
        invariants = Invariants(stack, client, logs, console)
        plenty, scarce = await client.product(stock=PLENTY), await client.product(stock=SCARCE)
        buyers = Arrivals(client, seed, BUYERS_PER_SECOND, MAX_ACTIVE_BUYERS)
        rng = random.Random(f"{seed} process faults")
        process_faults = ProcessFaults(stack, rng, lambda fault: progress(_format_fault(fault)), processes)
        sandbox_faults = SandboxFaults(client, random.Random(f"{seed} sandbox faults"))
        reporting = asyncio.create_task(_report_progress(buyers, client, process_faults, progress))
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(buyers.run(seconds, plenty, scarce))
                group.create_task(sandbox_faults.inject(seconds))
                group.create_task(process_faults.inject(seconds))
            progress(f"no more faults; {buyers.active} buyers are still active")
            await buyers.finish(FINISH_SECONDS)
        finally:
            reporting.cancel()
    violations = await invariants.violations(IDLE_SECONDS)
    violations["I4"] += await _check_stock(stack)
    idle_at = time.time()
    snapshot = await invariants.reader.read()
    return await _result(invariants, snapshot, violations, buyers, process_faults, idle_at)


async def _check_stock(stack: Stack) -> list[str]:
    """Run `python -m services.catalog check-stock`, which compares levels with movements and orders. Return what it found."""
    try:
        await stack.run_command("catalog", "check-stock")
    except NotStarted as error:
        return [str(error)]
    return []


async def _report_progress(
    buyers: Arrivals, client: Client, faults: ProcessFaults, progress: Callable[[str], None]
) -> None:
    began = time.monotonic()
    while True:
        await asyncio.sleep(PROGRESS_SECONDS)
        answers = client.answers
        progress(
            f"{time.monotonic() - began:5.0f} s  {buyers.started} buyers: {buyers.finished} finished, {buyers.active} active,"
            f" {buyers.too_late} too late, {len(buyers.failures)} failed; {len(faults.faults)} faults;"
            f" {answers.by_status.total()} answers, {answers.by_status[503]} of them 503;"
            f" {answers.connection_errors} connection errors"
        )


async def _result(
    invariants: Invariants,
    snapshot: Snapshot,
    violations: Violations,
    buyers: Arrivals,
    faults: ProcessFaults,
    idle_at: float,
) -> Result:
    delays = Delays.of(snapshot, faults.last_at)
    violations["I3"] += rules.deliveries_paid_at_paystack(snapshot, invariants.acknowledged)
    violations["acknowledged"] += [*rules.one_order_per_request(snapshot, invariants.acknowledged), *buyers.failures]
    lost = [fault for fault in faults.faults if fault.recovered_at is None]
    violations["I8"] += [f"{fault.process}: not ready again after {fault.signal}" for fault in lost]
    exits = faults.unexpected_exits()
    violations["I8"] += [f"{process}: exited {count} times without a fault" for process, count in exits.items()]
    if delays.after_last_fault > MAX_DELIVERY_SECONDS:
        wait = f"{delays.after_last_fault:.1f} s (limit: {MAX_DELIVERY_SECONDS:.0f} s)"
        violations["I2"].append(f"the longest wait for a delivery after the last fault was {wait}")
    webhook_events = (await invariants.rows("payments", WEBHOOK_EVENT_COUNT))[0]["count"]
    waits = sorted(delays.waits) or [0.0]
    numbers: dict[str, object] = {
        "buyers": f"{buyers.started}: {buyers.finished} finished, {buyers.too_late} too late (order expired or sold out),"
        f" {len(buyers.failures)} failed",
        **counts(snapshot, await invariants.reader.webhooks_delivered(), webhook_events),
        "from payment to delivery": f"median {waits[len(waits) // 2]:.2f} s, maximum {waits[-1]:.1f} s",
        "longest wait for a delivery after the last fault": f"{delays.after_last_fault:.1f} s",
        "all work finished after the last fault": f"{idle_at - faults.last_at:.1f} s",
    }
    return Result(violations, numbers, faults.faults, len(delays.waits))


def _format_fault(fault: ProcessFault) -> str:
    back = fault.recovered_at
    recovery = "not ready again" if back is None else f"ready again after {back - fault.at:.1f} s"
    return f"{fault.at:5.1f} s  {fault.signal} {fault.process}: {recovery}"
