"""The commands `payments list`, `payments show` and `unrelated-charges`."""

from typing import Annotated
from uuid import UUID

import typer

from kit.cli.lazy import call, create_cli
from kit.cli.options import AsJson, Since, Until, parse_id
from kit.cli.times import check_period
from services.payments.cli.options import ACTIONS, Limit, Reference
from services.payments.statuses import PaymentStatus

cli = create_cli("List payments, and show the history of a payment.")


@cli.command(name="list")
def list_payments(
    status: Annotated[
        list[PaymentStatus] | None,
        typer.Option(
            "--status",
            metavar="STATUS",
            help=f"Only payments with this status: {', '.join(PaymentStatus)}. Repeat the option for several.",
        ),
    ] = None,
    order_id: Annotated[
        UUID | None, typer.Option("--order-id", parser=parse_id, metavar="ID", help="Only payments for this order.")
    ] = None,
    customer: Annotated[
        str | None, typer.Option("--customer", metavar="ID", help="Only payments that this account or program started.")
    ] = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """List payments, newest first. --from and --to select by the time at which the payment was started."""
    check_period(since, until)
    call(
        f"{ACTIONS}.payments:list_payments",
        statuses=status or [],
        order_id=order_id,
        customer=customer,
        since=since,
        until=until,
        limit=limit,
        as_json=as_json,
    )


@cli.command()
def show(reference: Reference, as_json: AsJson = False) -> None:
    """Show a payment and its history: webhook events, rejected transfers, ledger, decisions, refunds, disputes, acts of operators, and
    unpublished events.

    Exit code 1: there is no payment with this reference.
    """
    call(f"{ACTIONS}.history:show_payment", reference, as_json=as_json)


def unrelated_charges(limit: Limit = 50, as_json: AsJson = False) -> None:
    """List charges whose references are certainly not ours, newest first: another application uses the same Paystack account."""
    call(f"{ACTIONS}.unrelated_charges:unrelated_charges", limit=limit, as_json=as_json)
