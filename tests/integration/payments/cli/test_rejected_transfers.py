"""`rejected-transfers` lists the bank transfers that Paystack rejected, and `payments show` has those of a payment."""

import httpx

from tests.factories.payments import create_payment
from tests.fakes.paystack import FakePaystack, transfer_rejected
from tests.fixtures.payments_cli import CommandLine
from tests.fixtures.payments_jobs import Jobs
from tests.fixtures.payments_requests import deliver


async def test_commands_show_a_rejected_transfer(
    client: httpx.AsyncClient, command: CommandLine, paystack: FakePaystack, jobs: Jobs
) -> None:
    assert "There are no rejected transfers." in (await command.run("rejected-transfers")).out
    one = await create_payment()
    paystack.add_transaction(one.reference, status="ongoing")
    await deliver(client, transfer_rejected(one.reference), transfer_rejected("pay-of-nobody", 1_000))
    await jobs.match_transfers()
    shown = (await command.run("rejected-transfers")).out
    assert ("NGN 400.00" in shown, one.reference in shown, "unmatched" in shown) == (True, True, True)
    (unmatched,) = (await command.run("rejected-transfers", "--without-payment", "--json")).json
    assert (unmatched["amount"], unmatched["payment"]) == (1_000, None)
    assert (await command.run("status", "--json")).json["transfers_without_payment"] == 1
    history = (await command.run("payments", "show", one.reference)).out
    assert "bank transfer rejected" in history
    assert "NGN 400.00, INCORRECT_AMOUNT: incorrect amount sent" in " ".join(history.split())
