"""`holds list`, `accept`, `bind` and `refund`: operators review held money. `refunds list` shows what goes back."""

from uuid import uuid4

import httpx
from sqlalchemy import select

from services.payments.db import sessions
from services.payments.holds.models import Decision
from tests.factories.payments import create_payment
from tests.fakes.catalog import FakeCatalog, serve_orders
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
    instead = "The payment is succeeded now, not held: get the payment again, then decide anew."
    assert (refused.code, refused.err.strip()) == (1, instead)
    asked = (await command.run("holds", "refund", one.reference, "--reason", "not ours", "--json")).json
    assert (asked["amount"], asked["requested_by"], asked["status"]) == (49_950, OPERATOR, "requested")
    (refund,) = await all_refunds()
    assert (refund.requested_by, refund.reason) == (OPERATOR, "not ours")
    (listed,) = (await command.run("refunds", "list", "--json")).json
    assert (listed["payment"], listed["status"]) == (one.reference, "requested")
    assert (await command.run("refunds", "list", "--status", "failed", "--json")).json == []
    assert one.reference in (await command.run("refunds", "list")).out
    assert (await find_payment(one.reference)).refunds_next_attempt_at is not None


async def test_amounts_are_shown_and_typed_as_money(client: httpx.AsyncClient, command: CommandLine) -> None:
    one = await create_payment()
    await deliver(client, charge_success(one.reference, 49_950))
    listed = await command.run("holds", "list")
    assert "NGN 500.00" in listed.out
    assert "NGN 499.50" in listed.out
    refund = ("holds", "refund", one.reference, "--reason", "x")
    for wrong, reason in (("100", "write 100.00"), ("1.005", "is not an amount"), ("99999999999.00", "use an amount")):
        refused = await command.run(*refund, "--amount", wrong)
        assert (refused.code, reason in refused.err) == (2, True), refused.err
    assert (await command.run(*refund, "--amount", "1.00", "--subunits", "100")).code == 2
    other = await command.run(*refund, "--amount", "GHS 1.00")
    assert (other.code, other.err.strip()) == (1, "The payment was paid in NGN, and the amount is in GHS.")
    too_much = await command.run(*refund, "--amount", "500.00")
    assert "request at most NGN 499.50" in too_much.err
    for amount in (("--amount", "NGN 100.00"), ("--amount", "100.00"), ("--subunits", "5000")):
        assert (await command.run(*refund, *amount)).code == 0
    assert [refund.amount for refund in await all_refunds()] == [10_000, 10_000, 5_000]
    assert "NGN 50.00" in (await command.run("refunds", "list")).out


async def test_refund_in_a_currency_without_fractions_takes_whole_units_only(command: CommandLine) -> None:
    one = await create_payment(
        status="held", held_reason="amount_differs", paid_amount=500_000, currency="XOF", paid_currency="XOF"
    )
    refund = ("holds", "refund", one.reference, "--reason", "x")
    for amount in (("--amount", "100.50"), ("--subunits", "10050")):
        refused = await command.run(*refund, *amount)
        assert (refused.code, "XOF has no fractions" in refused.err) == (1, True), refused.err
    assert (await command.run(*refund, "--amount", "XOF 1,000")).code == 0
    assert [refund.amount for refund in await all_refunds()] == [100_000]


async def test_bind_reads_the_order_with_the_operators_token_and_records_the_decision(
    client: httpx.AsyncClient, command: CommandLine
) -> None:
    await deliver(client, charge_success("pay-from-another-database"))
    catalog = FakeCatalog()
    cheaper, order_id = catalog.add_order(amount=40_000), catalog.add_order()
    arguments = ("--reason", "confirmed by phone", "--token", "operators-token")
    async with serve_orders(catalog, "operators-token") as url:
        command.use_catalog(url)
        missing = await command.run("holds", "bind", "pay-from-another-database", str(uuid4()), *arguments)
        assert (missing.code, "no order" in missing.err.lower()) == (1, True), missing.err
        differs = await command.run("holds", "bind", "pay-from-another-database", cheaper, *arguments)
        assert (differs.code, "The order costs NGN 400.00" in differs.err) == (1, True), differs.err
        refused = await command.run(
            "holds", "bind", "pay-from-another-database", order_id, "--reason", "x", "--token", "wrong"
        )
        assert refused.code == 1
        bound = (await command.run("holds", "bind", "pay-from-another-database", order_id, *arguments, "--json")).json
    assert (bound["status"], bound["order_id"]) == ("succeeded", order_id)
    async with sessions() as session:
        decision = (await session.execute(select(Decision))).scalar_one()
    (act,) = (await command.run("audit", "list", "--subject", "pay-from-another-database", "--json")).json
    assert (act["act"], act["actor"], act["reason"]) == ("payment.bound", OPERATOR, "confirmed by phone")
    assert (decision.decision, decision.decided_by, decision.reason) == ("bind", OPERATOR, "confirmed by phone")
    assert await outbox_types() == ["payment.succeeded"]


async def test_accept_when_the_payer_paid_too_much_refunds_the_difference(
    client: httpx.AsyncClient, command: CommandLine
) -> None:
    one = await create_payment()
    await deliver(client, charge_success(one.reference, 50_500))
    listed = (await command.run("holds", "list")).out
    assert ("NGN 5.00" in listed, "accept --refund-difference" in " ".join(listed.split())) == (True, True)
    shown = (await command.run("payments", "show", one.reference)).out
    assert "accept, accept --refund-difference, refund" in shown
    accepted = await command.run("holds", "accept", one.reference, "--refund-difference", "--reason", "typing error")
    assert "Its order will be delivered. A refund of NGN 5.00 is requested." in " ".join(accepted.out.split())
    (refund,) = await all_refunds()
    assert (refund.amount, refund.requested_by, refund.reason) == (500, OPERATOR, "typing error")
    assert await outbox_types() == ["payment.held", "payment.succeeded"]


async def test_accept_when_the_payer_paid_too_little_refunds_no_difference(
    client: httpx.AsyncClient, command: CommandLine
) -> None:
    one = await create_payment()
    await deliver(client, charge_success(one.reference, 49_950))
    assert "NGN -0.50" in (await command.run("holds", "list")).out
    refused = await command.run("holds", "accept", one.reference, "--refund-difference", "--reason", "x")
    assert (refused.code, refused.err.startswith("The payer has not paid more")) == (1, True)
    assert (await find_payment(one.reference)).status == "held"
