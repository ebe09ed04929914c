"""The commands `rejected-transfers list` and `rejected-transfers retry`."""

from typing import Annotated

import typer

from kit.cli.lazy import call, create_cli
from kit.cli.options import AsJson
from services.payments.cli.options import ACTIONS, MAX_ID, Limit

cli = create_cli("List the bank transfers that Paystack rejected, and have the payment of one looked up again.")


@cli.command(name="list")
def list_rejected_transfers(
    without_payment: Annotated[
        bool, typer.Option("--without-payment", help="Only transfers whose payment is not known, or not known yet.")
    ] = False,
    failed: Annotated[
        bool,
        typer.Option(
            "--failed",
            help="Only transfers whose payment Paystack did not name after many attempts: they need an operator.",
        ),
    ] = False,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """List bank transfers that Paystack rejected and returns to their payers, newest first."""
    options = {"without_payment": without_payment, "failed": failed, "limit": limit}
    call(f"{ACTIONS}.rejected_transfers:list_rejected_transfers", **options, as_json=as_json)


@cli.command()
def retry(
    transfer_id: Annotated[int, typer.Argument(min=1, max=MAX_ID, help="Id of the rejected transfer.")],
    as_json: AsJson = False,
) -> None:
    """Have the worker ask Paystack again to which payment a transfer belongs.

    Exit code 1: there is no such transfer, or its payment is known.
    """
    call(f"{ACTIONS}.rejected_transfers:retry", transfer_id, as_json=as_json)
