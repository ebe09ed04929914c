"""The command `refunds list`."""

from typing import Annotated

import typer
from sqlalchemy import select

from contracts.money import format_money
from services.payments.cli.command import Context, run
from services.payments.cli.options import AsJson, Limit
from services.payments.cli.output import print_views
from services.payments.db import sessions
from services.payments.models import Payment
from services.payments.refunds.models import Refund, RefundStatus
from services.payments.refunds.requests import FAILED_AUTOMATIC_REFUND, UNFINISHED
from services.payments.refunds.schemas import RefundView

cli = typer.Typer(help="List refunds.", no_args_is_help=True)
COLUMNS = ("created_at", "payment", "refund_amount", "status", "requested_by", "reason", "error")


class RefundOfPayment(RefundView):
    """A refund with the reference of its payment."""

    payment: str

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
            help="Only refunds with this status. Default: unfinished refunds, and automatic refunds that failed.",
        ),
    ] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """List refunds, newest first."""
    condition = Refund.status.in_(UNFINISHED) | FAILED_AUTOMATIC_REFUND if status is None else Refund.status == status

    async def work(context: Context) -> list[RefundOfPayment]:
        query = (
            select(Refund, Payment.reference)
            .join(Payment, Payment.id == Refund.payment_id)
            .where(condition)
            .order_by(Refund.number.desc())
            .limit(limit)
        )
        async with sessions() as session:
            rows = (await session.execute(query)).all()
        return [
            RefundOfPayment(payment=row.reference, **RefundView.model_validate(row.Refund).model_dump()) for row in rows
        ]

    print_views(run(work), COLUMNS, as_json=as_json, if_empty="No refunds match.")
