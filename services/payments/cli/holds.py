"""The commands `holds list`, `holds accept`, `holds bind` and `holds refund`."""

from typing import Annotated
from uuid import UUID

import typer

from kit.cli.lazy import call, create_cli
from kit.cli.options import AsJson, Reason, parse_id
from services.payments.cli.options import ACTIONS, Amount, Limit, Reference, RefundReason, Subunits

cli = create_cli("Review held payments: list, accept, bind or refund them.")


@cli.command(name="list")
def list_held_payments(limit: Limit = 50, as_json: AsJson = False) -> None:
    """List the held payments, oldest first."""
    call(f"{ACTIONS}.holds:list_held_payments", limit=limit, as_json=as_json)


@cli.command()
def accept(
    reference: Reference,
    reason: Reason,
    refund_difference: Annotated[
        bool, typer.Option("--refund-difference", help="Also refund what the payer paid too much.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Accept a held payment although amount, currency or mode differs. Its order is delivered.

    Exit code 1: the payment does not exist, is not held or cannot be accepted; with --refund-difference, also if nothing was paid
    too much.
    """
    call(f"{ACTIONS}.holds:accept", reference, reason, refund_difference=refund_difference, as_json=as_json)


@cli.command()
def bind(
    reference: Reference,
    order_id: Annotated[
        UUID, typer.Argument(parser=parse_id, metavar="ORDER_ID", help="Id of the order that the payment is for.")
    ],
    reason: Reason,
    token: Annotated[
        str,
        typer.Option(
            "--token",
            envvar="SHOP_ACCESS_TOKEN",
            prompt="Access token",
            hide_input=True,
            help="Access token with the scope orders:read, with which the order is read from catalog.",
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Bind a payment to an order of the same amount. The order is delivered.

    Only a payment that is held because its reference was unknown (`unknown_reference`) can be bound: it has no order.

    Exit code 1: the payment does not exist, is not held or has an order already, or the order is not found, is neither pending nor
    expired, or has another amount.
    """
    call(f"{ACTIONS}.holds:bind", reference, order_id, reason, token, as_json=as_json)


@cli.command()
def refund(
    reference: Reference,
    reason: RefundReason,
    amount: Amount = None,
    subunits: Subunits = None,
    as_json: AsJson = False,
) -> None:
    """Refund a held payment to the payer: --amount or --subunits, by default all that is not refunded yet.

    The worker sends the refund to Paystack. Exit code 1: the payment does not exist, is not held (any more), or the amount is too large
    or in another currency.
    """
    call(f"{ACTIONS}.holds:refund", reference, reason, amount, subunits, as_json=as_json)
