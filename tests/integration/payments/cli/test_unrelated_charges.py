"""`unrelated-charges` lists the money of other applications on the same Paystack account."""

import httpx

from tests.fakes.paystack import charge_success
from tests.fixtures.payments_cli import CommandLine
from tests.fixtures.payments_requests import deliver

OTHER = "T685312322670591"


async def test_command_lists_unrelated_charges(client: httpx.AsyncClient, command: CommandLine) -> None:
    assert "There are no unrelated charges." in (await command.run("unrelated-charges")).out
    await deliver(client, charge_success(OTHER))
    shown = await command.run("unrelated-charges")
    assert (OTHER in shown.out, "NGN 500.00" in shown.out) == (True, True)
    (listed,) = (await command.run("unrelated-charges", "--json")).json
    assert (listed["reference"], listed["amount"]) == (OTHER, 50_000)
    status = (await command.run("status", "--json")).json
    assert (status["unrelated_charges"], status["payments"]["held"]) == (1, 0)
