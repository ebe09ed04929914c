"""What `make chaos` tells at the end."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from rich.console import Console as Terminal
from rich.markup import escape
from rich.table import Table

from dev.chaos import rules
from dev.chaos.invariants import MOST_NAMED, TITLES, Differences
from dev.chaos.process_faults import Fault
from dev.chaos.snapshot import Facts

BAR_SECONDS = 30.0
"""Within which, after the last kill, everything that was paid is delivered (or the payment's end is known otherwise)."""


@dataclass(frozen=True, slots=True)
class Delays:
    """Seconds from the payment to its delivery, and from the later of payment and last fault."""

    waits: list[float]
    after_last_fault: float

    @classmethod
    def of(cls, facts: Facts, last_fault: float) -> "Delays":
        waits, after = [], 0.0
        for row in facts.deliveries:
            transaction = facts.transactions.get(row["payment_reference"])
            if transaction is not None and transaction["paid_at"]:
                paid = datetime.fromisoformat(transaction["paid_at"]).timestamp()
                delivered = row["delivered_at"].timestamp()
                waits.append(delivered - paid)
                after = max(after, delivered - max(paid, last_fault))
        return cls(waits, after)


def counts(facts: Facts, webhooks_taken: int, notices: int) -> dict[str, int]:
    status = Counter(row["status"] for row in facts.payments.values())
    return {
        "payments paid at Paystack": sum(map(rules.was_paid, facts.transactions.values())),
        "orders delivered": len(facts.deliveries),
        "refunded, whole or in part": status["refunded"] + status["partially_refunded"],
        "of these by themselves": sum(row["outcome"] == "undeliverable" for row in facts.told.values()),
        "held": status["held"],
        "orders expired": sum(row["status"] == "expired" for row in facts.orders.values()),
        "duplicate webhooks absorbed": max(0, webhooks_taken - notices),
    }


def show(
    terminal: Terminal,
    differences: Differences,
    numbers: Mapping[str, object],
    faults: Sequence[Fault],
) -> None:
    terminal.print()
    terminal.print(_invariants(differences))
    terminal.print(_faults(faults))
    table = Table(box=None, show_header=False, padding=(0, 2))
    for name, value in numbers.items():
        table.add_row(name, str(value))
    terminal.print(table)


def _invariants(differences: Differences) -> Table:
    table = Table(box=None, header_style="bold", padding=(0, 2))
    for column in ("", "invariant", "differences"):
        table.add_column(column, overflow="fold")
    for name, found in differences.items():
        said = [escape(one) for one in found[:MOST_NAMED]]
        more = [f"and {len(found) - MOST_NAMED} more"] if len(found) > MOST_NAMED else []
        table.add_row(
            "[red]✗[/]" if found else "[green]✓[/]", f"{name}  {TITLES.get(name, '')}", "\n".join(said + more)
        )
    return table


def _faults(faults: Sequence[Fault]) -> Table:
    by_part: defaultdict[str, list[Fault]] = defaultdict(list)
    for fault in faults:
        by_part[fault.part].append(fault)
    table = Table(box=None, header_style="bold", padding=(0, 2))
    for column in ("part", "hit", "with", "ready again after, s (median, longest)"):
        table.add_column(column)
    for part, hits in sorted(by_part.items()):
        how = ", ".join(f"{count} {name}" for name, count in Counter(hit.how for hit in hits).items())
        backs = [hit.back - hit.at for hit in hits if hit.back is not None]
        took = f"{median(backs):.1f}, {max(backs):.1f}" if len(backs) == len(hits) else "[red]never[/]"
        table.add_row(part, str(len(hits)), how, took)
    return table
