"""The commands `refunds list` and `refunds close`."""

from typing import Annotated
from uuid import UUID

import typer

from contracts.money import format_money
from kit.audit.actor import command_actor
from services.payments.cli.command import Context, run
from services.payments.cli.options import AsJson, Limit, Reason
from services.payments.cli.output import print_result, print_views
from services.payments.db import sessions
from services.payments.refunds import requests
from services.payments.refunds.models import Refund, RefundStatus
from services.payments.refunds.requests import UNFINISHED, UNRESOLVED_FAILURE, refunds_with_references
from services.payments.refunds.schemas import RefundOfPayment, RefundView

cli = typer.Typer(help="List refunds, and close failed ones.", no_args_is_help=True)
COLUMNS = ("created_at", "payment", "refund_amount", "status", "requested_by", "reason", "error")


class ListedRefund(RefundOfPayment):
    @property
    def refund_amount(self) -> str:
        """The amount as people read it."""
        return format_money(self.amount, self.currency)


@cli.command(name="list")
def list_refunds(
    status: Annotated[
        RefundStatus | None,
        typer.Option(
            "--status",
            help="Only refunds with this status. Default: unfinished refunds, and failed refunds that need an operator.",
        ),
    ] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """List refunds, newest first."""
    condition = Refund.status.in_(UNFINISHED) | UNRESOLVED_FAILURE if status is None else Refund.status == status

    async def work(context: Context) -> list[ListedRefund]:
        query = refunds_with_references().where(condition).order_by(Refund.number.desc()).limit(limit)
        async with sessions() as session:
            return [ListedRefund.of(refund, reference) for refund, reference in await session.execute(query)]

    print_views(run(work), COLUMNS, as_json=as_json, if_empty="No refunds match.")


@cli.command()
def close(
    refund_id: Annotated[UUID, typer.Argument(help="Id of the refund.")], reason: Reason, as_json: AsJson = False
) -> None:
    """Close a failed refund after you have dealt with it: paid the money back in another way, or requested it again.

    It then needs no operator any more. A refund that Paystack refused can be closed too: it is not sent again.
    Exit code 1: the refund does not exist, has not failed, is closed already, or is sent again within the next minutes.
    """

    async def work(context: Context) -> RefundView:
        async with sessions.begin() as session:
            refund = await requests.close_refund(session, refund_id, command_actor(), reason)
            return RefundView.model_validate(refund)

    print_result(run(work), f"Refund {refund_id} closed.", as_json=as_json)
