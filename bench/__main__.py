"""Run all benchmarks, in about half an hour. `--quick` has shorter and fewer rounds and only checks that the benchmarks work."""

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
from itertools import chain
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
from rich.console import Console

from bench import (
    LATEST,
    auth,
    auth_memory,
    baseline,
    databases,
    intake,
    large_tables,
    memory,
    orders,
    peer,
    products,
    products_peer,
    purchases,
    report,
    revocations,
    routes,
    sweep,
    users_peer,
    worst_queries,
)
from bench.load import Target, initialise_process, run_round
from bench.peer_environment import NotInstalled, PeerEnvironment
from bench.processes import PRODUCTION_SETTINGS
from bench.results import Results
from dev.process.console import Console as StackConsole
from dev.process.program import NotStarted
from dev.stack.stack import Stack

LATENCY_RATE = 50
"""The webhooks per second while the latency is measured."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much to measure. `rounds`, `seconds`: of all that has no own fields. `purchases`: per round. `stored_rows`: per large table."""

    rounds: int
    seconds: float
    latency_seconds: int
    purchase_rounds: int
    purchases: int
    stored_rows: int
    large_table_rounds: int
    large_table_events: int
    swept_payments: int
    slow_list_seconds: int


FULL = Size(
    rounds=5,
    seconds=5.0,
    latency_seconds=30,
    purchase_rounds=3,
    purchases=10_000,
    stored_rows=2_000_000,
    large_table_rounds=5,
    large_table_events=4_000,
    swept_payments=1_200,
    slow_list_seconds=60,
)
QUICK = Size(
    rounds=2,
    seconds=1.5,
    latency_seconds=5,
    purchase_rounds=2,
    purchases=1_000,
    stored_rows=50_000,
    large_table_rounds=2,
    large_table_events=1_000,
    swept_payments=600,
    slow_list_seconds=5,
)


def main() -> int:
    """Run the benchmarks. The exit code is 0 if they finished, even if a ratio is below its bar."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="shorter and fewer rounds")
    quick = parser.parse_args().quick
    console = Console()
    results = Results(load_average_before=os.getloadavg()[0])
    try:
        with ProcessPoolExecutor(4, multiprocessing.get_context("spawn"), initialise_process) as executor:
            asyncio.run(measure(results, QUICK if quick else FULL, executor, console))
    except (
        NotStarted,
        intake.NotStored,
        purchases.NotDelivered,
        large_tables.NotSettled,
        sweep.NotSwept,
        routes.Refused,
        auth.NotGranted,
        ConnectionError,
    ) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError, BrokenProcessPool):
        print("\ninterrupted by a signal, or because a load process was killed", file=sys.stderr)
        return 130
    report.show(results, console)
    report.write(results, quick)
    console.print(f"all rounds are in {LATEST}")
    return 0


async def measure(results: Results, size: Size, executor: Executor, console: Console) -> None:
    """Run all benchmarks on a temporary stack. Databases that the environment names are ignored, so no benchmark writes rows to them."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    for name in [name for name in os.environ if "_DATABASE_URL" in name or name.startswith("PAYSTACK_")]:
        del os.environ[name]
    async with Stack(extra_env=PRODUCTION_SETTINGS, console=StackConsole(status=sys.stdout)) as stack:
        results.memory_before = memory.measure(stack)
        await measure_intake(results, size, stack, executor, console)
        await measure_routes(results, size, stack, executor, console)
        await measure_auth(results, size, stack, executor, console)
        await measure_orders(results, size, stack, executor, console)
        await measure_purchases(results, size, stack, executor, console)
        results.memory_after = memory.measure(stack)
        await measure_sweep_and_large_tables(results, size, stack, executor, console)


async def measure_intake(results: Results, size: Size, stack: Stack, executor: Executor, console: Console) -> None:
    """Measure how many webhook events per second payments, a raw app, an empty route and the peer accept."""
    key = stack.env["PAYSTACK_SECRET_KEY"]
    database = await asyncpg.connect(stack.env["PAYMENTS_MIGRATION_DATABASE_URL"], timeout=5)
    await stack.stop("payments-worker")  # so that only intake uses the CPU
    async with AsyncExitStack() as running:
        running.push_async_callback(database.close, timeout=5)
        raw = await running.enter_async_context(intake.raw_app(key))
        noop = await running.enter_async_context(intake.empty_route(stack))
        one = intake.payments_server(_port(stack), database)
        two = await running.enter_async_context(intake.two_web_processes(stack, one))
        results.servers = [raw, noop, one, two]
        python = await _install(peer.ENVIRONMENT, results, console)
        if python is not None:
            (url,) = await databases.create(stack, "peer")
            results.servers += await running.enter_async_context(peer.run_peers(python, url, key))
        console.print(
            f"webhook intake: {size.rounds} rounds of {size.seconds:g} s for each of {len(results.servers)} servers"
        )
        await intake.measure_in_turns(results.servers, size.rounds, size.seconds, key, executor)
    await stack.start("payments-worker")


async def measure_routes(results: Results, size: Size, stack: Stack, executor: Executor, console: Console) -> None:
    """Measure the requests per second of routes without and with an access token, of the product routes, and of their peers."""
    python = await _install(users_peer.ENVIRONMENT, results, console)
    async with AsyncExitStack() as running:
        results.routes = await running.enter_async_context(routes.open_and_closed_route(stack))
        results.account_routes = [await auth.account_route(stack)]
        if python is not None:
            (url,) = await databases.create(stack, "users_peer")
            secret = stack.env["PAYSTACK_SECRET_KEY"]  # any secret
            closed, account = await running.enter_async_context(users_peer.run_users_peer(python, url, secret))
            results.routes.append(closed)
            results.account_routes.append(account)
        python = await _install(products_peer.ENVIRONMENT, results, console)
        results.product_routes = await running.enter_async_context(products.run_servers(stack, python))
        measured = [*results.routes, *results.account_routes, *chain.from_iterable(results.product_routes.values())]
        console.print(
            f"access tokens and products: {size.rounds} rounds of {size.seconds:g} s for each of {len(measured)} routes"
        )
        await routes.measure_in_turns(measured, size.rounds, size.seconds, executor)
    results.verified = await revocations.measure(size.rounds)


async def measure_auth(results: Results, size: Size, stack: Stack, executor: Executor, console: Console) -> None:
    """Measure logins, refreshes, and the memory of auth under an attack."""
    seconds = max(size.seconds, auth.LOGIN_SECONDS)
    console.print(f"logins and bcrypt alone: {size.rounds} rounds of {seconds:g} s each")
    results.logins = await auth.logins(stack, executor)
    await auth.measure_in_turns(results.logins, size.rounds, seconds)
    console.print(f"refreshes: {size.rounds} rounds of {size.seconds:g} s each")
    async with auth.refreshes(stack, executor) as results.refreshes:
        await auth.measure_in_turns(results.refreshes, size.rounds, size.seconds)
    console.print(f"memory of auth: {auth_memory.NAMES:,} attacked user names, {auth_memory.SESSIONS:,} sessions")
    results.auth_growth = await auth_memory.growth(stack, executor)


async def measure_orders(results: Results, size: Size, stack: Stack, executor: Executor, console: Console) -> None:
    """Measure orders of many products and of one, and how much many attempts of another account and slow lists slow them."""
    await stack.stop("catalog-worker")  # so that only orders use the CPU
    console.print(f"orders: {size.rounds} rounds of {size.seconds:g} s each, of many products and of one")
    async with orders.orders(stack, executor) as results.orders:
        await auth.measure_in_turns(results.orders, size.rounds, size.seconds)
    results.other_account = await orders.measure_other_account(stack, executor, size.rounds)
    console.print(f"slow lists over {worst_queries.CONNECTIONS} connections: {size.slow_list_seconds} s")
    results.worst_queries = await worst_queries.measure(stack, executor, size.slow_list_seconds)
    await stack.start("catalog-worker")


async def _install(environment: PeerEnvironment, results: Results, console: Console) -> Path | None:
    """Return the Python of a peer, or None, with the reason in the results, if it cannot be installed."""
    if not environment.is_installed():
        console.print(
            f"installing {environment.pins[0]} into the virtual environment {environment.folder}", markup=False
        )
    try:
        return await environment.install()
    except NotInstalled as error:
        results.missing_peers[environment.pins[0]] = str(error)
        return None


async def measure_purchases(results: Results, size: Size, stack: Stack, executor: Executor, console: Console) -> None:
    """Measure the latency from webhook to delivery, and the maximum rate of purchases of the shop and of the baseline."""
    key, target = stack.env["PAYSTACK_SECRET_KEY"], Target(_port(stack), intake.WEBHOOK)
    catalog_url, payments_url = (
        stack.env["CATALOG_MIGRATION_DATABASE_URL"],
        stack.env["PAYMENTS_MIGRATION_DATABASE_URL"],
    )
    loop = asyncio.get_running_loop()

    console.print(f"latency from webhook to delivery: {LATENCY_RATE}/s for {size.latency_seconds} s")
    events = intake.new_events(LATENCY_RATE * size.latency_seconds, key)
    await purchases.prepare(catalog_url, payments_url, events)
    results.latency = await loop.run_in_executor(
        executor, purchases.measure_latency, events, target, catalog_url, LATENCY_RATE
    )

    baseline_payments_url, baseline_catalog_url = await databases.create(stack, "baseline_payments", "baseline_catalog")
    await baseline.migrate(baseline_payments_url, baseline_catalog_url)

    async def shop_rate(count: int) -> float:
        events = intake.new_events(count, key)
        await purchases.prepare(catalog_url, payments_url, events)

        async def send() -> float:
            return (await loop.run_in_executor(executor, run_round, events, target, purchases.MAX_SECONDS)).started

        return await purchases.measure_rate(catalog_url, events, send)

    async def baseline_rate(count: int) -> float:
        events = intake.new_events(count, key)
        await purchases.prepare(baseline_catalog_url, baseline_payments_url, events)
        urls = baseline_payments_url, baseline_catalog_url, stack.env["AMQP_URL"]
        return await purchases.measure_rate(
            baseline_catalog_url, events, lambda: baseline.run_purchases(events, *urls, executor)
        )

    console.print(
        f"maximum rate of purchases: {size.purchase_rounds} rounds of {size.purchases:,}, for the shop and for the baseline"
    )
    for warm_up in (shop_rate, baseline_rate):
        await warm_up(200)
    for _ in range(size.purchase_rounds):
        results.shop.append(await shop_rate(size.purchases))
        results.baseline.append(await baseline_rate(size.purchases))


async def measure_sweep_and_large_tables(
    results: Results, size: Size, stack: Stack, executor: Executor, console: Console
) -> None:
    """Measure a sweep, and how much slower the services are with large tables."""
    key = stack.env["PAYSTACK_SECRET_KEY"]
    for name in ("payments-worker", "catalog-worker"):
        await stack.stop(name)
    console.print(f"sweep: {size.swept_payments:,} payments at Paystack's rate limit in live mode")
    results.sweep = await sweep.sweep(stack, size.swept_payments, key)
    rows = f"{size.stored_rows:,} payments, webhook events and ledger entries"
    console.print(f"large tables: {rows}, compared with empty tables (inserting the rows first)")
    results.large_tables = await large_tables.compare(
        stack, size.stored_rows, size.large_table_rounds, size.large_table_events, key, executor
    )


def _port(stack: Stack) -> int:
    port = urlsplit(stack.env["PAYMENTS_URL"]).port
    assert port is not None
    return port


if __name__ == "__main__":
    sys.exit(main())
