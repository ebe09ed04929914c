"""What the command `payments list` does."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from services.payments.cli.actions.command import Context, run
from services.payments.cli.actions.holds import PaidPaymentView
from services.payments.cli.actions.output import print_views
from services.payments.db import sessions
from services.payments.models import Payment, PaymentStatus

COLUMNS = ("created_at", "reference", "status", "order_amount", "paid")


def list_payments(
    *,
    statuses: Sequence[str],
    order_id: UUID | None,
    customer: str | None,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    as_json: bool,
) -> None:
    """Print the payments that match all conditions, newest first."""
    query = select(Payment).order_by(Payment.id.desc()).limit(limit)
    if statuses:
        query = query.where(Payment.status.in_([PaymentStatus(status) for status in statuses]))
    if order_id is not None:
        query = query.where(Payment.order_id == order_id)
    if customer is not None:
        query = query.where(Payment.payer_id == customer)
    if since is not None:
        query = query.where(Payment.created_at >= since)
    if until is not None:
        query = query.where(Payment.created_at < until)

    async def work(context: Context) -> list[PaidPaymentView]:
        async with sessions() as session:
            return [PaidPaymentView.model_validate(payment) for payment in (await session.execute(query)).scalars()]

    print_views(run(work), COLUMNS, as_json=as_json, if_empty="No payments match.")
