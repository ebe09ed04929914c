"""Options and arguments that several commands share. The names of statuses are those of the enums, which are not imported here."""

from enum import StrEnum
from typing import Annotated, Literal

import typer

from kit.cli.lazy import call

ACTIONS = "services.payments.cli.actions"
MAX_ID = 2**63 - 1

EntryStatusName = Literal["pending", "processed", "failed"]
RefundStatusName = Literal["requested", "pending", "processing", "processed", "failed", "needs-attention"]
ResolutionName = Literal["declined", "merchant-accepted"]


class PaymentStatusName(StrEnum):
    """The values of PaymentStatus. An option that can be repeated needs an enum."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ABANDONED = "abandoned"
    HELD = "held"
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"
    DISPUTED = "disputed"


def parse_line(typed: str) -> str:
    """Check a text by the rules of the HTTP API: one line, not empty, at most 200 characters."""
    return str(call(f"{ACTIONS}.values:parse_line", typed))


def parse_amount(typed: str) -> object:
    """Parse an amount such as 2500.00 or NGN 2,500.00."""
    return call(f"{ACTIONS}.values:parse_amount", typed)


Limit = Annotated[int, typer.Option("--limit", min=1, max=1000, help="Maximum number of rows.")]
Reason = Annotated[
    str,
    typer.Option("--reason", parser=parse_line, metavar="TEXT", help="Reason, which is recorded with the decision."),
]
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
