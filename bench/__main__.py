"""`python -m bench`: what the shop costs, in one run of about ten minutes; `--quick`: the same in two, to see that it works."""

import argparse
import asyncio
import multiprocessing
import os
import signal
import sys
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AsyncExitStack
from dataclasses import dataclass
from urllib.parse import urlsplit

import asyncpg
from rich.console import Console

from bench import databases, floor, intake, memory, peer, purchases, report
from bench import large_tables as fullness
from bench import sweep as sweeping
from bench.load import Target, begin_process, drive
from bench.processes import LOGGING
from dev.process.console import Console as StackConsole
from dev.process.program import NotStarted
from dev.stack.stack import Stack

A_SECOND = 50


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured."""

    rounds: int
    seconds: float
    paced_seconds: int
    purchase_rounds: int
    purchases: int
    history: int
    history_rounds: int
    history_notices: int
    swept: int


FULL = Size(
    rounds=5,
    seconds=5.0,
    paced_seconds=30,
    purchase_rounds=5,
    purchases=10_000,
    history=2_000_000,
    history_rounds=5,
    history_notices=4_000,
    swept=1_200,
)
QUICK = Size(
    rounds=2,
    seconds=1.5,
    paced_seconds=5,
    purchase_rounds=2,
    purchases=1_000,
    history=50_000,
    history_rounds=2,
    history_notices=1_000,
    swept=600,
)


def main() -> int:
    """The exit code says whether it could be measured, not whether it was fast."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two minutes: shorter and fewer rounds")
    quick = parser.parse_args().quick
    console = Console()
    results = report.Results(load_before=os.getloadavg()[0])
    try:
        with ProcessPoolExecutor(4, multiprocessing.get_context("spawn"), begin_process) as executor:
            asyncio.run(measure(results, QUICK if quick else FULL, executor, console))
    except (
        NotStarted,
        intake.NotStored,
        purchases.NotDelivered,
        fullness.NotSettled,
        sweeping.NotSwept,
        ConnectionError,
    ) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError, BrokenProcessPool):
        print("\nbroken off, by a signal or because a process of the load was killed", file=sys.stderr)
        return 130
    report.show(results, console)
    report.write(results, quick)
    console.print(f"every round: {report.LATEST}")
    return 0


async def measure(results: report.Results, size: Size, executor: Executor, console: Console) -> None:
    """The whole run, on a stack of its own: a database that somebody gives is never filled with the bench's rows."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    for name in [name for name in os.environ if "_DATABASE_URL" in name or name.startswith("PAYSTACK_")]:
        del os.environ[name]
    async with Stack(extra_env=LOGGING, console=StackConsole(sys.stdout)) as stack:
        results.at_rest = memory.measure(stack)
        await measure_intake(results, size, stack, executor, console)
        await measure_purchases(results, size, stack, executor, console)
        results.after = memory.measure(stack)
        await measure_recovery(results, size, stack, executor, console)


async def measure_intake(
    results: report.Results, size: Size, stack: Stack, executor: Executor, console: Console
) -> None:
    key = stack.env["PAYSTACK_SECRET_KEY"]
    database = await asyncpg.connect(stack.env["PAYMENTS_DATABASE_URL"], timeout=5)
    await stack.stop("payments-worker")  # so that intake has the machine for itself
    async with AsyncExitStack() as running:
        running.push_async_callback(database.close, timeout=5)
        noop = await running.enter_async_context(intake.doing_nothing())
        one = intake.ours(_port(stack), database)
        two = await running.enter_async_context(intake.two_workers(stack, one))
        results.contenders = [noop, one, two]
        try:
            if not peer.is_installed():
                console.print(f"installing {peer.PACKAGE} into an environment of its own, {peer.home()}, this once")
            python = await peer.install()
        except peer.NotInstalled as error:
            results.peer_missing = str(error)
        else:
            (url,) = await databases.made(stack, "peer")
            results.contenders += await running.enter_async_context(peer.peers(python, url, key))
        console.print(
            f"webhook intake: {size.rounds} rounds of {size.seconds:g} s for each of {len(results.contenders)}"
        )
        await intake.compete(results.contenders, size.rounds, size.seconds, key, executor)
    await stack.start("payments-worker")


async def measure_purchases(
    results: report.Results, size: Size, stack: Stack, executor: Executor, console: Console
) -> None:
    key, target = stack.env["PAYSTACK_SECRET_KEY"], Target(_port(stack), intake.WEBHOOK)
    catalog_url, payments_url = stack.env["CATALOG_DATABASE_URL"], stack.env["PAYMENTS_DATABASE_URL"]
    loop = asyncio.get_running_loop()

    console.print(f"from webhook to delivery: {A_SECOND} a second for {size.paced_seconds} s")
    paced = intake.fresh(A_SECOND * size.paced_seconds, key)
    await purchases.prepare(catalog_url, payments_url, paced)
    results.paced = await loop.run_in_executor(executor, purchases.pace, paced, target, catalog_url, A_SECOND)

    floor_payments_url, floor_catalog_url = await databases.made(stack, "floor_payments", "floor_catalog")
    await floor.migrate(floor_payments_url, floor_catalog_url)

    async def shop(count: int) -> float:
        notices = intake.fresh(count, key)
        await purchases.prepare(catalog_url, payments_url, notices)

        async def begin() -> float:
            return (await loop.run_in_executor(executor, drive, notices, target, purchases.LONGEST_SECONDS)).started

        return await purchases.sustained(catalog_url, notices, begin)

    async def bare(count: int) -> float:
        notices = intake.fresh(count, key)
        await purchases.prepare(floor_catalog_url, floor_payments_url, notices)
        urls = floor_payments_url, floor_catalog_url, stack.env["AMQP_URL"]
        return await purchases.sustained(floor_catalog_url, notices, lambda: floor.begin(notices, *urls, executor))

    console.print(f"purchases as fast as they go: {size.purchase_rounds} rounds of {size.purchases:,}, and the floor's")
    for warm_up in (shop, bare):
        await warm_up(200)
    for _ in range(size.purchase_rounds):
        results.shop.append(await shop(size.purchases))
        results.floor.append(await bare(size.purchases))


async def measure_recovery(
    results: report.Results, size: Size, stack: Stack, executor: Executor, console: Console
) -> None:
    """What nobody waits for at the till: the sweep, and what years of business cost."""
    key = stack.env["PAYSTACK_SECRET_KEY"]
    for name in ("payments-worker", "catalog-worker"):
        await stack.stop(name)
    console.print(f"a sweep of {size.swept:,} payments at Paystack's live limit")
    results.sweep = await sweeping.sweep(stack, size.swept, key)
    console.print(f"with {size.history:,} payments, notices and ledger entries stored, and without (filling first)")
    results.fullness = await fullness.compare(
        stack, size.history, size.history_rounds, size.history_notices, key, executor
    )


def _port(stack: Stack) -> int:
    port = urlsplit(stack.env["PAYMENTS_URL"]).port
    assert port is not None
    return port


if __name__ == "__main__":
    sys.exit(main())
