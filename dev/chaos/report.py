"""The report that `make chaos` prints at the end."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from rich.console import Console as Terminal
from rich.markup import escape
from rich.table import Table

from dev.chaos import rules
from dev.chaos.invariants import MAX_MESSAGES, TITLES, Violations
from dev.chaos.process_faults import ProcessFault
from dev.chaos.snapshot import Snapshot

MAX_DELIVERY_SECONDS = 30.0
"""After the last fault or the payment, whichever is later, an order must be delivered within this time."""


@dataclass(frozen=True, slots=True)
class Delays:
    """`waits`: seconds from each payment to its delivery.

    `after_last_fault`: the longest wait, counted from the payment or from the last fault, whichever is later.
    """

    waits: list[float]
    after_last_fault: float

    @classmethod
    def of(cls, snapshot: Snapshot, last_fault: float) -> "Delays":
        """Compute the delays of all deliveries. `last_fault`: as time.time()."""
        waits, longest = [], 0.0
        for row in snapshot.deliveries:
            transaction = snapshot.transactions.get(row["payment_reference"])
            if transaction is not None and transaction["paid_at"]:
                paid = datetime.fromisoformat(transaction["paid_at"]).timestamp()
                delivered = row["delivered_at"].timestamp()
                waits.append(delivered - paid)
                longest = max(longest, delivered - max(paid, last_fault))
        return cls(waits, longest)


def counts(snapshot: Snapshot, webhooks_delivered: int, webhook_events: int) -> dict[str, int]:
    """Return the numbers of the report that come from the snapshot."""
    status = Counter(row["status"] for row in snapshot.payments.values())
    outcomes = Counter(row["outcome"] for row in snapshot.order_payments.values())
    return {
        "payments paid at Paystack": sum(map(rules.was_paid, snapshot.transactions.values())),
        "of these by bank transfer": sum(
            rules.was_paid(row) and row["channel"] == "bank_transfer" for row in snapshot.transactions.values()
        ),
        "orders delivered": len(snapshot.deliveries),
        "payments refunded, fully or partially": status["refunded"] + status["partially_refunded"],
        "payments of undeliverable orders": outcomes["undeliverable"],
        "payments held": status["held"],
        "orders expired": sum(row["status"] == "expired" for row in snapshot.orders.values()),
        "duplicate webhooks ignored": max(0, webhooks_delivered - webhook_events),
    }


def print_report(
    terminal: Terminal, violations: Violations, numbers: Mapping[str, object], faults: Sequence[ProcessFault]
) -> None:
    """Print the invariants with their violations, the faults by process, and the numbers."""
    terminal.print()
    terminal.print(_invariant_table(violations))
    terminal.print(_fault_table(faults))
    table = Table(box=None, show_header=False, padding=(0, 2))
    for name, value in numbers.items():
        table.add_row(name, str(value))
    terminal.print(table)


def _invariant_table(violations: Violations) -> Table:
    table = Table(box=None, header_style="bold", padding=(0, 2))
    for column in ("", "invariant", "violations"):
        table.add_column(column, overflow="fold")
    for name, messages in violations.items():
        shown = [escape(message) for message in messages[:MAX_MESSAGES]]
        if len(messages) > MAX_MESSAGES:
            shown.append(f"and {len(messages) - MAX_MESSAGES} more")
        mark = "[red]✗[/]" if messages else "[green]✓[/]"
        table.add_row(mark, f"{name}  {TITLES.get(name, '')}", "\n".join(shown))
    return table


def _fault_table(faults: Sequence[ProcessFault]) -> Table:
    by_process: defaultdict[str, list[ProcessFault]] = defaultdict(list)
    for fault in faults:
        by_process[fault.process].append(fault)
    table = Table(box=None, header_style="bold", padding=(0, 2))
    for column in ("process", "faults", "signals", "seconds until ready again (median, maximum)"):
        table.add_column(column)
    for process, hits in sorted(by_process.items()):
        signals = ", ".join(f"{count} {name}" for name, count in Counter(hit.signal for hit in hits).items())
        recoveries = [hit.recovered_at - hit.at for hit in hits if hit.recovered_at is not None]
        recovered = len(recoveries) == len(hits)
        seconds = f"{median(recoveries):.1f}, {max(recoveries):.1f}" if recovered else "[red]never[/]"
        table.add_row(process, str(len(hits)), signals, seconds)
    return table
