"""What an operator reads in the logs of the running stack about a purchase."""

import re
from pathlib import Path

import pytest

from dev.process.console import Console
from tests.fixtures.stack_client import StackClient, until

STEPS = {
    "catalog": ["order placed"],
    "payments": ["payment started"],
    # payment.started and payment.succeeded are published.
    "payments-worker": ["event published", "event published", "payment settled", "webhook event processed"],
    "catalog-worker": ["order delivered"],
}
FIELD = re.compile(r"(\w+)=(\S+)")
pytestmark = pytest.mark.usefixtures("invariants")


def lines_about(console: Console, process: str, order_id: str) -> list[str]:
    """Return the lines of a process that name an order.

    catalog-worker handles payment.started before or after the delivery, and its line says which.
    """
    lines = [line for line in console.recent_lines(process) if f"order_id={order_id}" in line]
    return [line for line in lines if process != "catalog-worker" or "event_type=payment.started" not in line]


def message_of(line: str) -> str:
    """Return the message of a line, which ends where its fields begin."""
    message = re.search(r"\[info +\] (.*?) +\w+=", line)
    return message.group(1) if message else line


async def test_purchase_when_delivered_has_one_line_for_each_step(shop: StackClient, console: Console) -> None:
    buyer, order, payment = await shop.begin_purchase(await shop.product())
    await shop.pay(payment["reference"])
    await shop.wait_delivered(buyer, order)

    async def logged() -> dict[str, list[str]] | None:
        found = {process: lines_about(console, process, order["id"]) for process in STEPS}
        counts = {process: len(lines) for process, lines in found.items()}
        return found if all(counts[process] >= len(steps) for process, steps in STEPS.items()) else None

    found = await until(logged, 15)
    traces = set()
    for process, steps in STEPS.items():
        assert len(found[process]) == len(steps), found[process]
        for step, line in zip(steps, sorted(found[process], key=message_of), strict=True):
            assert message_of(line) == step
            fields = dict(FIELD.findall(line))
            assert re.fullmatch("[0-9a-f]{32}", fields["trace_id"])
            if step != "order placed":  # there is no payment yet
                assert fields["reference"] == payment["reference"]
                traces.add(fields["trace_id"])
    assert len(traces) == 1


def test_processes_when_started_log_no_line_of_the_web_server(shop: StackClient, stack_log: Path) -> None:
    text = stack_log.read_text().partition("request method=")[0]  # later lines are about what other tests did
    assert f"url={shop.env['SANDBOX_URL']}" in text  # the sandbox has logged its start
    assert "Started server process" not in text
    assert "Uvicorn running" not in text
    assert "events republished" not in text  # nothing was lost, so nothing is republished at the first start
