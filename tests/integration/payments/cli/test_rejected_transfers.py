"""`rejected-transfers list` has the bank transfers that Paystack rejected, and `payments show` those of a payment."""

import httpx

from tests.factories.payments import create_payment
from tests.fakes.paystack import FakePaystack, transfer_rejected
from tests.fixtures.payments_cli import OPERATOR, CommandLine
from tests.fixtures.payments_jobs import Jobs
from tests.fixtures.payments_requests import deliver
from tests.fixtures.payments_rows import execute


async def test_commands_show_a_rejected_transfer(
    client: httpx.AsyncClient, command: CommandLine, paystack: FakePaystack, jobs: Jobs
) -> None:
    assert "There are no rejected transfers." in (await command.run("rejected-transfers", "list")).out
    one = await create_payment()
    paystack.add_transaction(one.reference, status="ongoing")
    await deliver(client, transfer_rejected(one.reference), transfer_rejected("pay-of-nobody", 1_000))
    await jobs.match_transfers()
    shown = (await command.run("rejected-transfers", "list")).out
    assert ("NGN 400.00" in shown, one.reference in shown, "unmatched" in shown) == (True, True, True)
    (unmatched,) = (await command.run("rejected-transfers", "list", "--without-payment", "--json")).json
    assert (unmatched["amount"], unmatched["payment"]) == (1_000, None)
    assert (await command.run("status", "--json")).json["rejected_transfers_without_payment"] == 1
    history = (await command.run("payments", "show", one.reference)).out
    assert "bank transfer rejected" in history
    assert "NGN 400.00, INCORRECT_AMOUNT: incorrect amount sent" in " ".join(history.split())


async def test_commands_list_and_count_a_failed_transfer_and_have_it_looked_up_again(
    client: httpx.AsyncClient, command: CommandLine, paystack: FakePaystack, jobs: Jobs
) -> None:
    one = await create_payment()
    paystack.add_transaction(one.reference, status="ongoing")
    await deliver(client, transfer_rejected(one.reference), transfer_rejected("pay-of-nobody", 1_000))
    await execute("UPDATE rejected_transfers SET failed_at = now(), next_attempt_at = NULL WHERE amount = 40000")
    await jobs.match_transfers()
    (failed,) = (await command.run("rejected-transfers", "list", "--failed", "--json")).json
    assert (failed["amount"], failed["status"]) == (40_000, "failed")
    counted = (await command.run("status", "--json")).json
    assert (counted["rejected_transfers_without_payment"], counted["rejected_transfers_failed"]) == (2, 1)
    assert "2 whose payment is not known, or not known yet; 1 need an operator" in (await command.run("status")).out
    retried = await command.run("rejected-transfers", "retry", str(failed["id"]))
    assert (retried.code, "The worker asks Paystack again" in retried.out) == (0, True), retried.err
    await jobs.match_transfers()
    assert (await command.run("rejected-transfers", "list", "--failed", "--json")).json == []
    assert one.reference in (await command.run("rejected-transfers", "list")).out
    (act,) = (await command.run("audit", "list", "--act", "rejected_transfer.retried", "--json")).json
    assert (act["subject"], act["actor"], act["before"]["status"]) == (str(failed["id"]), OPERATOR, "failed")
    for wrong in (failed["id"], 1_000_000):
        assert (await command.run("rejected-transfers", "retry", str(wrong))).code == 1
