"""The commands `disputes list`, `disputes show` and `disputes respond`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from kit.cli.lazy import call, create_cli
from kit.cli.options import AsJson
from services.payments.cli.options import ACTIONS, MAX_ID, Limit, ResolutionName

cli = create_cli("List and show disputes, and respond to them.")
DisputeId = Annotated[int, typer.Argument(min=0, max=MAX_ID, help="Paystack's id of the dispute.")]
Resolution = Annotated[
    ResolutionName,
    typer.Option(
        "--resolution",
        metavar="RESOLUTION",
        help="declined: you contest it and the bank decides; merchant-accepted: the payer is refunded.",
    ),
]
Message = Annotated[str, typer.Option("--message", metavar="TEXT", help="Explanation, which is sent to Paystack.")]
File = Annotated[
    Path,
    typer.Option(
        "--file",
        exists=True,
        dir_okay=False,
        readable=True,
        help="File to upload. Paystack requires one for both resolutions.",
    ),
]
RefundSubunits = Annotated[
    int | None,
    typer.Option(
        "--refund-subunits", min=0, help="Amount to refund in subunits. Default: the disputed amount, or 0 if declined."
    ),
]

EVIDENCE = "Evidence for the bank"
CustomerEmail = Annotated[str | None, typer.Option(help=f"{EVIDENCE}: e-mail address of the customer.")]
CustomerName = Annotated[str | None, typer.Option(help=f"{EVIDENCE}: name of the customer.")]
CustomerPhone = Annotated[str | None, typer.Option(help=f"{EVIDENCE}: phone number of the customer.")]
ServiceDetails = Annotated[str | None, typer.Option(help=f"{EVIDENCE}: what was sold, how it was delivered.")]
DeliveryAddress = Annotated[str | None, typer.Option(help=f"{EVIDENCE}: address of the delivery.")]
DeliveryDate = Annotated[str | None, typer.Option(help=f"{EVIDENCE}: date of the delivery, as 2026-11-20.")]


@cli.command(name="list")
def list_disputes(
    state: Annotated[
        Literal["open", "over"],
        typer.Option("--state", metavar="STATE", help="open: the most urgent first; over: the latest first."),
    ] = "open",
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """List the open disputes, or those that are over."""
    call(f"{ACTIONS}.disputes:list_disputes", state=state, limit=limit, as_json=as_json)


@cli.command()
def show(dispute_id: DisputeId, as_json: AsJson = False) -> None:
    """Show a dispute with our response. Exit code 1: there is no such dispute."""
    call(f"{ACTIONS}.disputes:show", dispute_id, as_json=as_json)


@cli.command()
def respond(
    dispute_id: DisputeId,
    resolution: Resolution,
    message: Message,
    file: File,
    refund_subunits: RefundSubunits = None,
    customer_email: CustomerEmail = None,
    customer_name: CustomerName = None,
    customer_phone: CustomerPhone = None,
    service_details: ServiceDetails = None,
    delivery_address: DeliveryAddress = None,
    delivery_date: DeliveryDate = None,
    as_json: AsJson = False,
) -> None:
    """Respond to an open dispute: upload the file, send the evidence if there is any, and accept or decline.

    Evidence needs at least the four options --customer-email, --customer-name, --customer-phone and --service-details.
    Exit code 1: there is no such dispute, it does not wait for a response, or Paystack refuses the response.
    """
    evidence = {
        "customer_email": customer_email,
        "customer_name": customer_name,
        "customer_phone": customer_phone,
        "service_details": service_details,
        "delivery_address": delivery_address,
        "delivery_date": delivery_date,
    }
    call(
        f"{ACTIONS}.disputes:respond",
        dispute_id,
        file,
        {"resolution": resolution, "message": message, "refund_amount": refund_subunits},
        {name: value for name, value in evidence.items() if value is not None},
        as_json=as_json,
    )
