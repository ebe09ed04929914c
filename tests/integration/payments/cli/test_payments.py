"""`payments list` and `payments show`: what operators see of a payment and its history."""

from datetime import timedelta

import httpx
import pytest
from sqlalchemy import delete

from services.payments.db import sessions
from services.payments.models import OutboxRow
from tests.factories.payments import create_dispute, create_paid_payment, create_payment, create_refund
from tests.fakes.paystack import charge_success
from tests.fixtures.payments_cli import OPERATOR, CommandLine
from tests.fixtures.payments_requests import deliver
from tests.fixtures.payments_rows import execute


async def test_list_shows_the_payments_that_match_all_options(command: CommandLine) -> None:
    first, second = await create_payment(), await create_paid_payment(customer_id="customer-2")
    third = await create_payment(status="abandoned")

    async def listed(*options: str) -> list[str]:
        return [each["reference"] for each in (await command.run("payments", "list", "--json", *options)).json]

    assert await listed() == [third.reference, second.reference, first.reference]
    assert await listed("--limit", "1") == [third.reference]
    assert await listed("--status", "pending", "--status", "abandoned") == [third.reference, first.reference]
    assert await listed("--order-id", str(second.order_id)) == [second.reference]
    assert await listed("--customer", "customer-2") == [second.reference]
    assert await listed("--from", "1h", "--status", "succeeded") == [second.reference]
    assert await listed("--to", (first.created_at - timedelta(seconds=1)).isoformat()) == []
    assert (await command.run("payments", "list", "--status", "lost")).code == 2
    assert (await command.run("payments", "list", "--customer", "nobody")).out.strip() == "No payments match."


async def test_show_prints_the_whole_history_of_a_payment(client: httpx.AsyncClient, command: CommandLine) -> None:
    one, other = await create_payment(), await create_payment()
    await deliver(client, charge_success(one.reference, 49_950), charge_success(other.reference))
    assert (await command.run("holds", "accept", one.reference, "--reason", "50 kobo short")).code == 0
    refund = await command.run(
        "refund", one.reference, "--amount", "1.00", "--reason", "late", "--expected-status", "succeeded"
    )
    assert refund.code == 0
    await create_dispute(4711, payment_id=one.id, reference=one.reference, amount=49_950, currency="NGN")

    found = (await command.run("payments", "show", one.reference, "--json")).json
    assert (found["payment"]["reference"], found["payment"]["paid_amount"]) == (one.reference, 49_950)
    assert [(event["event"], event["outcome"]) for event in found["webhook_events"]] == [
        ("charge.success", "held: amount_differs")
    ]
    assert {entry["kind"] for entry in found["ledger"]} >= {"received", "accepted"}
    assert [(each["decision"], each["reason"]) for each in found["decisions"]] == [("accept", "50 kobo short")]
    assert [(each["amount"], each["status"]) for each in found["refunds"]] == [(100, "requested")]
    assert [each["id"] for each in found["disputes"]] == [4711]
    assert [(each["act"], each["actor"]) for each in found["audit_log"]] == [
        ("refund.requested", OPERATOR),
        ("payment.accepted", OPERATOR),
    ]
    assert [each["type"] for each in found["outbox"]] == ["payment.held", "payment.succeeded"]

    shown = (await command.run("payments", "show", one.reference, width=120)).out
    for text in (
        "NGN 500.00",
        "NGN 499.50",
        "webhook event",
        "charge.success, processed: held: amount_differs",
        "ledger: received",
        "debit paystack:receivable, credit held",
        "50 kobo short",
        "NGN 1.00, requested",
        "dispute 4711",
        "event payment.succeeded",
        "not published yet",
    ):
        assert text in shown, shown
    assert other.reference not in shown
    async with sessions.begin() as session:
        await session.execute(delete(OutboxRow))  # the relay has published them
    assert (await command.run("payments", "show", one.reference, "--json")).json["outbox"] == []


async def test_show_prints_the_fee_in_the_currency_in_which_the_payer_paid(command: CommandLine) -> None:
    payment = await create_paid_payment(paid_amount=900, paid_currency="USD", fees=35)
    assert "USD 0.35" in (await command.run("payments", "show", payment.reference)).out


async def test_show_prints_a_deadline_only_for_disputes_that_wait_for_our_response(command: CommandLine) -> None:
    payment = await create_paid_payment(status="disputed")
    dispute = await create_dispute(4711, payment_id=payment.id, reference=payment.reference)
    assert "respond until 2099-01-01" in (await command.run("payments", "show", payment.reference, width=120)).out
    await execute("UPDATE disputes SET status = 'awaiting-bank-feedback', resolution = 'declined'")
    shown = (await command.run("payments", "show", payment.reference, width=120)).out
    assert ("respond until" in shown, "awaiting-bank-feedback, declined" in shown) == (False, True), shown
    await execute("UPDATE disputes SET resolution = NULL")
    shown = (await command.run("payments", "show", payment.reference, width=120)).out
    assert (f"dispute {dispute.id}" in shown, "None" in shown) == (True, False), shown


async def test_show_when_a_payment_has_many_unpublished_events_then_shows_the_newest_ones(command: CommandLine) -> None:
    one = await create_payment()
    await execute(
        """
        INSERT INTO outbox (event_id, type, body)
        SELECT gen_random_uuid(), 'event-' || number, convert_to(format('{"reference":"%s"}', CAST(:reference AS text)), 'UTF8')
        FROM generate_series(1, 203) AS number
        """,
        reference=one.reference,
    )
    shown = (await command.run("payments", "show", one.reference, "--json")).json["outbox"]
    assert [each["type"] for each in shown] == [f"event-{number}" for number in range(4, 204)]


async def test_show_when_the_payment_is_unknown_ends_with_exit_code_1(command: CommandLine) -> None:
    unknown = await command.run("payments", "show", "unknown")
    assert (unknown.code, unknown.out) == (1, "")


@pytest.mark.parametrize("width", [80, 120])
async def test_lists_fit_the_terminal_and_keep_values_in_one_piece(
    client: httpx.AsyncClient, command: CommandLine, width: int
) -> None:
    one, paid = await create_payment(), await create_paid_payment()
    await deliver(client, charge_success(one.reference, 49_950))
    await create_refund(paid, reason="Your order was cancelled before your payment arrived", requested_by="catalog")
    await create_dispute(4711, payment_id=paid.id, reference=paid.reference, amount=50_000, currency="NGN")
    expected = {
        ("payments", "list"): [one.reference, paid.reference, "NGN 499.50", "succeeded"],
        ("holds", "list"): [one.reference, "amount_differs", "NGN 500.00"],
        ("refunds", "list"): [paid.reference, "NGN 500.00", "requested", "catalog"],
        ("disputes", "list"): ["4711", paid.reference, "2099-01-01 00:00:00", "awaiting-merchant-feedback"],
        ("webhooks", "list"): [one.reference, "charge.success", "processed", "amount_differs"],
        ("payments", "show", one.reference): [one.reference, "NGN 499.50", "charge.success", "ledger: received"],
    }
    for arguments, values in expected.items():
        shown = await command.run(*arguments, width=width)
        assert shown.code == 0, shown.err
        assert all(len(line) <= width for line in shown.out.splitlines()), shown.out
        for value in values:
            assert any(value in line for line in shown.out.splitlines()), (value, shown.out)
