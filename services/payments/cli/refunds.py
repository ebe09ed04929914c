"""The commands `refund`, `refunds list` and `refunds close`."""

from typing import Annotated
from uuid import UUID

import typer

from kit.cli.lazy import call, create_cli
from kit.cli.options import AsJson, Reason, parse_id
from services.payments.cli.options import (
    ACTIONS,
    Amount,
    Limit,
    Reference,
    RefundReason,
    Subunits,
)
from services.payments.statuses import PaymentStatus, RefundStatus

cli = create_cli("List refunds, and close failed ones.")


@cli.command(name="list")
def list_refunds(
    status: Annotated[
        RefundStatus | None,
        typer.Option(
            "--status",
            metavar="STATUS",
            help=f"Only refunds with this status: {', '.join(RefundStatus)}. "
            "Default: unfinished refunds, and failed refunds that need an operator.",
        ),
    ] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """List refunds, newest first."""
    call(f"{ACTIONS}.refunds:list_refunds", status=status, limit=limit, as_json=as_json)


@cli.command()
def close(
    refund_id: Annotated[UUID, typer.Argument(parser=parse_id, metavar="REFUND_ID", help="Id of the refund.")],
    reason: Reason,
    as_json: AsJson = False,
) -> None:
    """Close a failed refund after you have dealt with it: paid the money back in another way, or requested it again.

    It then needs no operator any more. A refund that Paystack refused can be closed too, except in the five minutes before its next
    attempt; a closed refund is not sent again.
    Exit code 1: the refund does not exist, was neither refused nor failed, is closed already, or its next attempt is at most five minutes
    away.
    """
    call(f"{ACTIONS}.refunds:close", refund_id, reason, as_json=as_json)


def refund(
    reference: Reference,
    reason: RefundReason,
    amount: Amount = None,
    subunits: Subunits = None,
    everything: Annotated[bool, typer.Option("--all", help="Refund all that can be refunded.")] = False,
    expected_status: Annotated[
        PaymentStatus | None,
        typer.Option(
            "--expected-status",
            metavar="STATUS",
            help="Status that the payment had when you decided, as `payments show` has it. If it has another status now, for "
            "example because another operator was faster, the refund is refused. Without this option, the status is not compared: "
            "the payment is refunded in any paid status.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Request a refund of a payment: --amount, --subunits or --all. The worker sends it to Paystack.

    A second run requests a second refund. Exit code 1: the payment does not exist, is not paid or has another status than
    --expected-status, or the amount is too large or in another currency.
    """
    call(
        f"{ACTIONS}.refunds:refund",
        reference,
        reason,
        amount,
        subunits,
        everything=everything,
        expected_status=expected_status,
        as_json=as_json,
    )
