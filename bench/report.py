"""What was measured, as tables for a person and as bench/latest.json for whoever compares."""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.intake import Contender
from bench.large_tables import KINDS, Fullness
from bench.memory import Memory
from bench.purchases import Paced
from bench.sweep import MANY, TEST, Sweep

LATEST = Path(__file__).with_name("latest.json")
NOISY = 0.25
"""A spread between the rounds of one thing, as a part of their median, from which a figure is called noisy."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """One thing against another, round by round. `bar`: what it should at least be."""

    name: str
    rounds: list[float]
    bar: float | None = None

    @property
    def value(self) -> float:
        return median(self.rounds)


@dataclass(slots=True)
class Results:
    """One run. Rates are a second; purchases are those of the shop and of the floor, round by round."""

    load_before: float
    contenders: list[Contender] = field(default_factory=list)
    peer_missing: str | None = None
    paced: Paced = field(default_factory=Paced)
    shop: list[float] = field(default_factory=list)
    floor: list[float] = field(default_factory=list)
    at_rest: dict[str, Memory] = field(default_factory=dict)
    after: dict[str, Memory] = field(default_factory=dict)
    sweep: Sweep | None = None
    fullness: Fullness | None = None

    def ratios(self) -> list[Ratio]:
        """Round against round, so that what else happened on the machine in those seconds fell on both."""
        noop, intake, two, *peers = self.contenders
        ratios = [
            Ratio(f"{intake.name} / {noop.name}", _against(intake, noop), 0.6),
            Ratio(f"{two.name} / one", _against(two, intake), 1.25),
            *(Ratio(f"{intake.name} / {peer.name}", _against(intake, peer), 10.0) for peer in peers),
            Ratio("purchases / floor", _each(self.shop, self.floor), 0.5),
        ]
        if self.fullness:
            full, empty = self.fullness.full, self.fullness.empty
            stored = self.fullness.rows["payments"]
            ratios += [
                Ratio(f"{kind}, {stored:,} stored / none", _each(full.rates[kind], empty.rates[kind]), 0.9)
                for kind in KINDS
            ]
        if self.sweep:
            ratios.append(Ratio("sweep: calls a minute / the limit", [self.sweep.a_minute / self.sweep.limit]))
            ratios.append(Ratio("sweep: seconds said / taken", [self.sweep.said / self.sweep.took]))
        return ratios

    def rates(self) -> dict[str, list[float]]:
        """Everything that was counted a second, by name."""
        rates = {contender.name: [found.rate for found in contender.rounds] for contender in self.contenders}
        if self.fullness:
            for name, side in (("full", self.fullness.full), ("empty", self.fullness.empty)):
                rates.update({f"{kind}, {name} tables": found for kind, found in side.rates.items()})
        return {**rates, "purchases": self.shop, "floor": self.floor}

    def noisy(self) -> list[str]:
        """The names of what differed much from round to round."""
        measured = {**self.rates(), **{ratio.name: ratio.rounds for ratio in self.ratios()}}
        return [name for name, rounds in measured.items() if (max(rounds) - min(rounds)) / median(rounds) > NOISY]


def _against(one: Contender, other: Contender) -> list[float]:
    return _each([found.rate for found in one.rounds], [found.rate for found in other.rounds])


def _each(ones: Sequence[float], others: Sequence[float]) -> list[float]:
    return [one / other for one, other in zip(ones, others, strict=True)]


def _ms(seconds: Sequence[float]) -> tuple[float, float]:
    """Median and 99th percentile, in milliseconds."""
    return median(seconds) * 1000, quantiles(seconds, n=100)[98] * 1000


def show(results: Results, console: Console) -> None:
    """The tables."""
    noisy = results.noisy()
    rates = Table("a second, one process each", "median", "min–max", "answer, median", title="Webhook intake")
    for contender in results.contenders:
        took = median(median(found.answer_seconds) for found in contender.rounds) * 1000
        rounds = [found.rate for found in contender.rounds]
        rates.add_row(contender.name, f"{median(rounds):,.0f}", _span(rounds, "{:,.0f}"), f"{took:,.0f} ms")
    purchases = Table("", "median", "min–max or p99", title="From the webhook to the delivery")
    for name, seconds in (
        ("webhook answered, 50 a second", results.paced.answer_seconds),
        ("delivery seen, 50 a second", results.paced.delivery_seconds),
    ):
        middle, late = _ms(seconds)
        purchases.add_row(name, f"{middle:,.1f} ms", f"p99 {late:,.1f} ms")
    for name, rounds in (("purchases, as fast as they go", results.shop), ("floor: asyncpg, aio-pika", results.floor)):
        purchases.add_row(name, f"{median(rounds):,.0f} /s", _span(rounds, "{:,.0f}"))
    ratios = Table("ratio", "median", "min–max", "bar", "", title="Ratios, round against round")
    for ratio in results.ratios():
        met = "" if ratio.bar is None else "[green]met[/]" if ratio.value >= ratio.bar else "[red]missed[/]"
        bar = "" if ratio.bar is None else f"≥ {ratio.bar:g}"
        mark = " [yellow]noisy[/]" if ratio.name in noisy else ""
        ratios.add_row(ratio.name, f"{ratio.value:.2f}", _span(ratio.rounds, "{:.2f}"), bar, met + mark)
    if results.peer_missing:
        ratios.add_row("webhook intake / paystack-django", "skipped", "", "≥ 10", "")
    full = Table("a second", "empty", "full", title="With years of business stored")
    if results.fullness:
        for kind in KINDS:
            empty_rate, full_rate = (
                median(side.rates[kind]) for side in (results.fullness.empty, results.fullness.full)
            )
            full.add_row(kind, f"{empty_rate:,.0f}", f"{full_rate:,.0f}")
        full.caption = ", ".join(f"{count:,} {table}" for table, count in results.fullness.rows.items())
    memory = Table("MiB", "at rest", "after the load", "of that its own", title="Memory")
    memory.caption = "resident; of rabbitmq and postgres, whose processes share pages, each page once"
    for name, after in results.after.items():
        rest = results.at_rest[name]
        memory.add_row(name, f"{rest.held:.0f}", f"{after.held:.0f}", f"{after.own:.0f}")
    for table in (rates, purchases, full, memory, ratios):
        for column in table.columns[1:]:
            column.justify = "right"
        console.print(table)
    if results.sweep:
        live, test = (results.sweep.seconds_for(MANY, limit) / 60 for limit in (results.sweep.limit, TEST))
        console.print(
            f"A sweep of {MANY:,} pending payments takes {live:.1f} min at Paystack's live limit of verify, {test:.0f} min in test mode."
        )
    if results.peer_missing:
        console.print(f"paystack-django could not be installed: {results.peer_missing}", markup=False)
    console.print(f"noisy (rounds more than {NOISY:.0%} apart): {', '.join(noisy) or 'nothing'}")
    if results.load_before > 0.5:
        console.print(f"[yellow]The machine was busy before it began (load average {results.load_before:.1f}).[/]")


def _span(values: Sequence[float], form: str) -> str:
    return f"{form.format(min(values))}–{form.format(max(values))}"


def write(results: Results, quick: bool) -> None:
    """bench/latest.json: everything that the tables show, and every round behind it."""
    delivered, delivered_late = _ms(results.paced.delivery_seconds)
    answered, answered_late = _ms(results.paced.answer_seconds)
    written: dict[str, Any] = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "quick": quick,
        "machine": {
            "system": platform.platform(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "load_average_before": round(results.load_before, 2),
        },
        "ratios": {
            ratio.name: {
                "median": round(ratio.value, 3),
                "rounds": [round(value, 3) for value in ratio.rounds],
                "bar": ratio.bar,
            }
            for ratio in results.ratios()
        },
        "skipped": results.peer_missing,
        "per_second": {
            name: {"median": round(median(rounds), 1), "rounds": [round(rate, 1) for rate in rounds]}
            for name, rounds in results.rates().items()
        },
        "milliseconds_at_50_a_second": {
            "webhook answered": {"median": round(answered, 2), "p99": round(answered_late, 2)},
            "delivery seen": {"median": round(delivered, 2), "p99": round(delivered_late, 2)},
        },
        "stored_when_full": results.fullness.rows if results.fullness else None,
        "sweep": asdict(results.sweep) if results.sweep else None,
        "memory_mib": {
            name: {"at_rest": _rounded(results.at_rest[name]), "after_the_load": _rounded(after)}
            for name, after in results.after.items()
        },
        "noisy": results.noisy(),
    }
    LATEST.write_text(json.dumps(written, indent=2) + "\n")


def _rounded(memory: Memory) -> dict[str, float | None]:
    return {name: None if value is None else round(value, 1) for name, value in asdict(memory).items()}
