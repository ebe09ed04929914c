"""Print the results as tables, and write them to bench/latest.json."""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench import LATEST, auth_memory
from bench.large_tables import KINDS
from bench.memory import Memory
from bench.results import NOISY, Results
from bench.sweep import LIVE_LIMIT, MANY_PAYMENTS, TEST_LIMIT

BUSY_LOAD = 0.5


def _ms(seconds: Sequence[float]) -> tuple[float, float]:
    """Return the median and the 99th percentile in milliseconds."""
    return median(seconds) * 1000, quantiles(seconds, n=100)[98] * 1000


def show(results: Results, console: Console) -> None:
    """Print the tables."""
    noisy = results.noisy()
    tables = (
        _intake_table(results),
        _purchase_table(results),
        _large_tables_table(results),
        _memory_table(results),
        _ratio_table(results, noisy),
    )
    for table in tables:
        for column in table.columns[1:]:
            column.justify = "right"
        console.print(table)
    if results.sweep:
        live, test = (results.sweep.seconds_for(MANY_PAYMENTS, limit) / 60 for limit in (LIVE_LIMIT, TEST_LIMIT))
        minutes = f"{live:.1f} min at Paystack's rate limit in live mode, {test:.0f} min in test mode"
        console.print(f"A sweep of {MANY_PAYMENTS:,} pending payments takes {minutes}.")
    if results.auth_growth is not None:
        met = "[green]met[/]" if results.auth_growth <= auth_memory.MAX_MEGABYTES else "[red]missed[/]"
        console.print(f"auth's memory {_growth(results.auth_growth)}: {met}")
    for name, reason in results.missing_peers.items():
        console.print(f"{name} could not be installed: {reason}", markup=False)
    console.print(f"noisy (rounds differ by more than {NOISY:.0%}): {', '.join(noisy) or 'none'}")
    if results.load_average_before > BUSY_LOAD:
        console.print(
            f"[yellow]The machine was busy before the benchmark (load average {results.load_average_before:.1f}).[/]"
        )


def _intake_table(results: Results) -> Table:
    title = "Webhook intake, routes, logins and refreshes"
    table = Table("per second, one process each", "median", "min–max", "answer, median", title=title)
    for server in results.measured():
        took = median(median(round_.answer_seconds) for round_ in server.rounds) * 1000
        rounds = [round_.rate for round_ in server.rounds]
        table.add_row(server.name, f"{median(rounds):,.0f}", _span(rounds, "{:,.0f}"), f"{took:,.0f} ms")
    return table


def _purchase_table(results: Results) -> Table:
    table = Table("", "median", "min–max or p99", title="From the webhook to the delivery")
    for name, seconds in (
        ("webhook answered, at 50/s", results.latency.answer_seconds),
        ("delivery visible, at 50/s", results.latency.delivery_seconds),
    ):
        middle, p99 = _ms(seconds)
        table.add_row(name, f"{middle:,.1f} ms", f"p99 {p99:,.1f} ms")
    for name, rounds in (("purchases, maximum rate", results.shop), ("baseline: asyncpg, aio-pika", results.baseline)):
        table.add_row(name, f"{median(rounds):,.0f} /s", _span(rounds, "{:,.0f}"))
    return table


def _large_tables_table(results: Results) -> Table:
    table = Table("per second", "empty", "full", title="With millions of rows")
    if results.large_tables:
        empty, full = results.large_tables.empty, results.large_tables.full
        for kind in KINDS:
            table.add_row(kind, f"{median(empty.rates[kind]):,.0f}", f"{median(full.rates[kind]):,.0f}")
        table.caption = ", ".join(f"{count:,} {name}" for name, count in results.large_tables.rows.items())
    return table


def _memory_table(results: Results) -> Table:
    table = Table("MiB", "idle", "after the load", "of which unshared", title="Memory")
    table.caption = "resident memory; for rabbitmq and postgres, whose processes share pages, proportional memory"
    for name, after in results.memory_after.items():
        table.add_row(name, f"{results.memory_before[name].used:.0f}", f"{after.used:.0f}", f"{after.own:.0f}")
    return table


def _ratio_table(results: Results, noisy: Sequence[str]) -> Table:
    table = Table("ratio", "median", "min–max", "bar", "", title="Ratios between figures of the same round")
    for ratio in results.ratios():
        met = (
            ""
            if ratio.expected_minimum is None
            else "[green]met[/]"
            if ratio.value >= ratio.expected_minimum
            else "[red]missed[/]"
        )
        bar = "" if ratio.expected_minimum is None else f"≥ {ratio.expected_minimum:g}"
        mark = " [yellow]noisy[/]" if ratio.name in noisy else ""
        table.add_row(ratio.name, f"{ratio.value:.2f}", _span(ratio.rounds, "{:.2f}"), bar, met + mark)
    for name in results.missing_peers:
        table.add_row(f"compared with {escape(name)}", "skipped", "", "", "")
    return table


def _growth(megabytes: float) -> str:
    names, sessions, bar = auth_memory.NAMES, auth_memory.SESSIONS, auth_memory.MAX_MEGABYTES
    return (
        f"after {names:,} attacked user names and {sessions:,} sessions: {megabytes:+.1f} MB (bar: at most +{bar:g} MB)"
    )


def _span(values: Sequence[float], form: str) -> str:
    return f"{form.format(min(values))}–{form.format(max(values))}"


def write(results: Results, quick: bool) -> None:
    """Write bench/latest.json: all figures of the tables, with every round."""
    delivered, delivered_p99 = _ms(results.latency.delivery_seconds)
    answered, answered_p99 = _ms(results.latency.answer_seconds)
    document: dict[str, Any] = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "quick": quick,
        "machine": {
            "processor": processor(),
            "system": platform.platform(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "load_average_before": round(results.load_average_before, 2),
        },
        "ratios": {
            ratio.name: {
                "median": round(ratio.value, 3),
                "rounds": [round(value, 3) for value in ratio.rounds],
                "expected_minimum": ratio.expected_minimum,
            }
            for ratio in results.ratios()
        },
        "skipped": results.missing_peers,
        "per_second": {
            name: {"median": round(median(rounds), 1), "rounds": [round(rate, 1) for rate in rounds]}
            for name, rounds in results.rates().items()
        },
        "milliseconds_at_50_per_second": {
            "webhook answered": {"median": round(answered, 2), "p99": round(answered_p99, 2)},
            "delivery visible": {"median": round(delivered, 2), "p99": round(delivered_p99, 2)},
        },
        "stored_when_full": results.large_tables.rows if results.large_tables else None,
        "sweep": asdict(results.sweep) if results.sweep else None,
        "memory_mib": {
            name: {"idle": _rounded(results.memory_before[name]), "after_load": _rounded(after)}
            for name, after in results.memory_after.items()
        },
        "auth_memory": _growth(results.auth_growth) if results.auth_growth is not None else None,
        "noisy": results.noisy(),
    }
    LATEST.write_text(json.dumps(document, indent=2) + "\n")


def processor() -> str:
    """Return the name of the processor, as Linux knows it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _rounded(memory: Memory) -> dict[str, float | None]:
    return {name: None if value is None else round(value, 1) for name, value in asdict(memory).items()}
