"""`status` shows what is pending, what failed, and how the worker gets on with Paystack."""

from datetime import UTC, datetime, timedelta

import httpx

from tests.factories.payments import create_dispute, create_paid_payment, create_payment, create_refund
from tests.fakes.paystack import charge_success
from tests.fixtures.payments_cli import CommandLine
from tests.fixtures.payments_requests import deliver, post_webhook


async def test_status_counts_what_waits_and_what_failed(client: httpx.AsyncClient, command: CommandLine) -> None:
    for _ in range(3):
        await create_payment()
    await create_payment(status="held", held_reason="amount_differs")
    await deliver(client, charge_success("pay-waits"), b"no webhook")
    await post_webhook(client, {"event": "moon.landed", "data": {}})
    paid = await create_paid_payment(status="disputed")
    await create_refund(paid, status="failed", requested_by="catalog")
    await create_dispute(7, status="pending", due_at=datetime.now(UTC) + timedelta(hours=3))
    found = (await command.run("status", "--json")).json
    assert found["payments"] == {"pending": 3, "held": 2, "disputed": 1}
    assert (found["refunds_that_need_an_operator"], found["disputes"]["open"]) == (1, 1)
    assert 0 < found["disputes"]["due_seconds"] < 3 * 3600
    assert (found["webhook_events"]["pending"], found["webhook_events"]["failed"]) == (1, 1)
    assert found["sweep"]["due"] == 0
    assert found["refunds"]["requested"] == 0
    assert found["backfill"]["ran_at"] is None
    assert "no worker answers" in found["worker"]["error"]
    assert found["checkout_timeout"] == {"seconds": None, "error": "Paystack did not answer (NoAnswer)"}
    shown = await command.run("status")
    assert shown.code == 0
    assert "timeout unknown: Paystack did not answer" in shown.out
    assert "1 pending, the oldest for" in shown.out
    assert "s; 1 need an operator" in shown.out
    assert "needs-attention, 1 failed; 1 need an operator" in shown.out
    assert "1 open, the earliest response is due in 3" in shown.out
    assert "no worker answers" in shown.out
