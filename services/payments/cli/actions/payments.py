"""What the command `payments list` does."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from services.payments import payment_lists
from services.payments.cli.actions.command import Context, run
from services.payments.cli.actions.holds import PaymentOnTerminal
from services.payments.cli.actions.output import print_views
from services.payments.db import sessions
from services.payments.payment_lists import PaymentFilter
from services.payments.statuses import PaymentStatus

COLUMNS = ("created_at", "reference", "status", "order_amount", "paid")


def list_payments(
    *,
    statuses: Sequence[PaymentStatus],
    order_id: UUID | None,
    customer: str | None,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    as_json: bool,
) -> None:
    """Print the payments that match all conditions, newest first."""
    selected = PaymentFilter(customer_id=customer, order_id=order_id, statuses=statuses, since=since, until=until)

    async def work(context: Context) -> list[PaymentOnTerminal]:
        async with sessions() as session:
            found = await payment_lists.list_payments(session, selected, limit)
            return [PaymentOnTerminal.model_validate(payment) for payment in found]

    print_views(run(work), COLUMNS, as_json=as_json, if_empty="No payments match.")
