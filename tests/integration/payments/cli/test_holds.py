"""`holds list`, `accept` and `refund`: operators review held money. `refunds list` shows what goes back."""

import httpx
from sqlalchemy import select

from services.payments.db import sessions
from services.payments.holds.models import Decision
from tests.factories.payments import create_payment
from tests.fakes.paystack import charge_success
from tests.fixtures.payments_cli import OPERATOR, CommandLine
from tests.fixtures.payments_requests import deliver
from tests.fixtures.payments_rows import all_refunds, find_payment, outbox_types


async def test_accept_records_the_decision_with_its_reason(client: httpx.AsyncClient, command: CommandLine) -> None:
    one = await create_payment()
    await deliver(client, charge_success(one.reference, 49_950))
    (listed,) = (await command.run("holds", "list", "--json")).json
    assert (listed["reference"], listed["held_reason"], listed["paid_amount"]) == (
        one.reference,
        "amount_differs",
        49_950,
    )
    assert one.reference in (await command.run("holds", "list")).out
    assert (await command.run("holds", "accept", one.reference)).code == 2  # a reason is needed
    assert (await command.run("holds", "accept", one.reference, "--reason", " ")).code == 2
    accepted = (await command.run("holds", "accept", one.reference, "--reason", "50 kobo short", "--json")).json
    assert accepted["status"] == "succeeded"
    async with sessions() as session:
        decision = (await session.execute(select(Decision))).scalar_one()
    assert (decision.decided_by, decision.reason) == (OPERATOR, "50 kobo short")
    assert await outbox_types() == ["payment.held", "payment.succeeded"]
    twice = await command.run("holds", "accept", one.reference, "--reason", "x")
    assert (twice.code, twice.err.strip()) == (1, "The payment is succeeded, not held: there is nothing to decide.")


async def test_refund_requests_all_that_is_held_and_lists_it(client: httpx.AsyncClient, command: CommandLine) -> None:
    one, paid = await create_payment(), await create_payment()
    await deliver(client, charge_success(one.reference, 49_950), charge_success(paid.reference))
    refused = await command.run("holds", "refund", paid.reference, "--reason", "x")
    instead = f"refund it with POST /payments/{paid.reference}/refunds."
    assert (refused.code, refused.err.strip()) == (1, f"The payment is succeeded, not held: {instead}")
    asked = (await command.run("holds", "refund", one.reference, "--reason", "not ours", "--json")).json
    assert (asked["amount"], asked["requested_by"], asked["status"]) == (49_950, OPERATOR, "requested")
    (refund,) = await all_refunds()
    assert (refund.requested_by, refund.reason) == (OPERATOR, "not ours")
    (listed,) = (await command.run("refunds", "list", "--json")).json
    assert (listed["payment"], listed["status"]) == (one.reference, "requested")
    assert (await command.run("refunds", "list", "--status", "failed", "--json")).json == []
    assert one.reference in (await command.run("refunds", "list")).out
    assert (await find_payment(one.reference)).refunds_next_attempt_at is not None
