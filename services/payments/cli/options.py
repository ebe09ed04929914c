"""Options and arguments that several commands share."""

from typing import Annotated, Literal

import typer

from kit.cli.lazy import call
from kit.cli.options import parse_line

ACTIONS = "services.payments.cli.actions"
MAX_ID = 2**63 - 1

ResolutionName = Literal["declined", "merchant-accepted"]


def parse_amount(typed: str) -> object:
    """Parse an amount such as 2500.00 or NGN 2,500.00."""
    return call(f"{ACTIONS}.values:parse_amount", typed)


Limit = Annotated[int, typer.Option("--limit", min=1, max=1000, help="Maximum number of rows.")]
RefundReason = Annotated[
    str,
    typer.Option(
        "--reason",
        parser=parse_line,
        metavar="TEXT",
        help="Reason, which is recorded with the refund and shown to the payer.",
    ),
]
Amount = Annotated[
    object,
    typer.Option("--amount", parser=parse_amount, metavar="AMOUNT", help="Amount, such as 2500.00 or NGN 2,500.00."),
]
Subunits = Annotated[
    int | None, typer.Option("--subunits", min=1, help="Amount in subunits (kobo, pesewa, cent), instead of --amount.")
]
Reference = Annotated[str, typer.Argument(help="Reference of the payment.")]
