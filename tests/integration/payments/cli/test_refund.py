"""`refund` requests a refund of any paid payment."""

from tests.factories.payments import create_paid_payment, create_payment
from tests.fixtures.payments_cli import OPERATOR, CommandLine
from tests.fixtures.payments_rows import all_refunds, find_payment


async def test_refund_requests_an_amount_or_everything_for_the_worker_to_send(command: CommandLine) -> None:
    one = await create_paid_payment()
    refund = ("refund", one.reference, "--reason", "one item short", "--expected-status", "succeeded")
    for wrong in ((), ("--all", "--amount", "1.00"), ("--subunits", "1", "--amount", "1.00")):
        assert (await command.run(*refund, *wrong)).code == 2
    for option, typed, most in (
        ("--amount", "10000000.01", "10,000,000.00"),
        ("--subunits", "1000000001", "1000000000 subunits"),
    ):
        above = await command.run(*refund, option, typed)
        assert (above.code, f"to {most}" in above.err) == (2, True), above.err
    part = (await command.run(*refund[:4], "--amount", "NGN 100.00", "--json")).json
    assert (part["amount"], part["status"], part["requested_by"]) == (10_000, "requested", OPERATOR)
    rest = await command.run(*refund, "--all")
    assert (rest.code, rest.out.strip()) == (0, f"Refund of NGN 400.00 requested for payment {one.reference}.")
    assert [(each.amount, each.reason) for each in await all_refunds()] == [
        (10_000, "one item short"),
        (40_000, "one item short"),
    ]
    acts = (await command.run("audit", "list", "--act", "refund.requested", "--json")).json
    assert [(act["subject"], act["actor"], act["after"]["amount"]) for act in acts] == [
        (one.reference, OPERATOR, 40_000),
        (one.reference, OPERATOR, 10_000),
    ]
    too_much = await command.run(*refund, "--subunits", "1")
    assert (too_much.code, "NGN 0.00 of it can be refunded" in too_much.err) == (1, True), too_much.err


async def test_refund_when_the_payment_is_unknown_unpaid_or_in_another_currency_changes_nothing(
    command: CommandLine,
) -> None:
    unpaid, paid = await create_payment(), await create_paid_payment()
    for reference, amount in (("unknown", "1.00"), (unpaid.reference, "1.00"), (paid.reference, "GHS 1.00")):
        status = "succeeded" if reference == paid.reference else "pending"
        options = ("--reason", "x", "--amount", amount, "--expected-status", status)
        refused = await command.run("refund", reference, *options)
        assert (refused.code, refused.out) == (1, "")
        assert refused.err.strip()
    assert (await find_payment(unpaid.reference)).status == "pending"
    assert (await find_payment(paid.reference)).status == "succeeded"
    assert await all_refunds() == []


async def test_refund_when_another_operator_has_accepted_the_held_payment_meanwhile_is_refused(
    command: CommandLine,
) -> None:
    one = await create_payment(status="held", held_reason="amount_differs", paid_amount=49_950, paid_currency="NGN")
    assert (await command.run("holds", "accept", one.reference, "--reason", "50 kobo short")).code == 0
    wanted = ("--reason", "not ours", "--json")
    for refused in (
        await command.run("refund", one.reference, "--all", "--expected-status", "held", *wanted),
        await command.run("holds", "refund", one.reference, *wanted),
    ):
        assert (refused.code, "The payment is succeeded now, not held" in refused.err) == (1, True), refused.err
    assert await all_refunds() == []
