"""refunds list"""

from typing import Annotated

import typer
from sqlalchemy import select

from services.payments.cli.output import AsJson, AtMost, Context, print_views, run
from services.payments.db import sessions
from services.payments.models import Payment
from services.payments.refunds.models import Refund, RefundStatus
from services.payments.refunds.requests import FAILED_AUTOMATIC_REFUND, UNFINISHED
from services.payments.refunds.schemas import RefundView

cli = typer.Typer(help="Money on its way back.", no_args_is_help=True)
COLUMNS = ("created_at", "payment", "amount", "currency", "status", "requested_by", "reason", "error")


class RefundOfPayment(RefundView):
    payment: str


@cli.command(name="list")
def list_refunds(
    status: Annotated[
        RefundStatus | None,
        typer.Option("--status", help="Only those; else all that are not over, and automatic ones that failed."),
    ] = None,
    limit: AtMost = 50,
    as_json: AsJson = False,
) -> None:
    """Newest first. Amounts in subunits."""
    wanted = Refund.status.in_(UNFINISHED) | FAILED_AUTOMATIC_REFUND if status is None else Refund.status == status

    async def work(context: Context) -> list[RefundOfPayment]:
        query = (
            select(Refund, Payment.reference)
            .join(Payment, Payment.id == Refund.payment_id)
            .where(wanted)
            .order_by(Refund.number.desc())
            .limit(limit)
        )
        async with sessions() as session:
            rows = (await session.execute(query)).all()
        return [
            RefundOfPayment(payment=row.reference, **RefundView.model_validate(row.Refund).model_dump()) for row in rows
        ]

    print_views(run(work), COLUMNS, as_json=as_json, nothing="no such refunds")
