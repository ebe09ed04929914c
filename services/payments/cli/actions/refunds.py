"""What the commands `refund`, `refunds list` and `refunds close` do."""

from uuid import UUID

import typer
from sqlalchemy import select

from contracts.money import format_money
from kit.audit.actor import command_actor
from services.payments.cli.actions.command import Context, run
from services.payments.cli.actions.output import print_result, print_views
from services.payments.cli.actions.values import Money, check_currency, refund_amount
from services.payments.db import Topic, sessions
from services.payments.errors import PaymentNotFound
from services.payments.models import Payment
from services.payments.refunds import requests
from services.payments.refunds.lists import refunds_with_references
from services.payments.refunds.models import Refund
from services.payments.refunds.requests import UNFINISHED, UNRESOLVED_FAILURE
from services.payments.refunds.schemas import RefundOfPayment, RefundView
from services.payments.statuses import PaymentStatus, RefundStatus

COLUMNS = ("created_at", "payment", "refund_amount", "status", "requested_by", "reason", "error")


class ListedRefund(RefundOfPayment):
    """A refund with its amount as people read it."""

    @property
    def refund_amount(self) -> str:
        """The amount as people read it."""
        return format_money(self.amount, self.currency)


def list_refunds(*, status: RefundStatus | None, limit: int, as_json: bool) -> None:
    """Print the refunds with this status, or those that are unfinished or need an operator, newest first."""
    default = Refund.status.in_(UNFINISHED) | UNRESOLVED_FAILURE
    condition = default if status is None else Refund.status == status

    async def work(context: Context) -> list[ListedRefund]:
        query = refunds_with_references().where(condition).order_by(Refund.number.desc()).limit(limit)
        async with sessions() as session:
            return [ListedRefund.of(refund, reference) for refund, reference in await session.execute(query)]

    print_views(run(work), COLUMNS, as_json=as_json, if_empty="No refunds match.")


def close(refund_id: UUID, reason: str, *, as_json: bool) -> None:
    """Close a failed refund."""

    async def work(context: Context) -> RefundView:
        async with sessions.begin() as session:
            refund = await requests.close_refund(session, refund_id, command_actor(), reason)
            return RefundView.model_validate(refund)

    print_result(run(work), f"Refund {refund_id} closed.", as_json=as_json)


def refund(
    reference: str,
    reason: str,
    amount: Money | None,
    subunits: int | None,
    *,
    everything: bool,
    expected_status: PaymentStatus | None,
    as_json: bool,
) -> None:
    """Request a refund of a payment."""
    wanted = refund_amount(amount, subunits)
    if everything == (wanted is not None):
        raise typer.BadParameter("use one of --amount, --subunits and --all")
    request_refund(reference, reason, wanted, expected_status=expected_status, as_json=as_json)


def request_refund(
    reference: str, reason: str, wanted: Money | None, *, expected_status: PaymentStatus | None, as_json: bool
) -> None:
    """Request a refund of `wanted`, or of all that can be refunded if it is None, and print it.

    It is refused if the payment has another status than the expected one.
    """

    async def work(context: Context) -> RefundView:
        async with sessions.begin() as session:
            query = select(Payment).where(Payment.reference == reference).with_for_update()
            payment = (await session.execute(query)).scalar_one_or_none()
            if payment is None:
                raise PaymentNotFound
            check_currency(payment, wanted)
            refund = await requests.request_refund_as_operator(
                session,
                command_actor(),
                reference,
                amount=wanted.subunits if wanted else None,
                reason=reason,
                expected_status=expected_status,
            )
            await session.refresh(refund)
            view = RefundView.model_validate(refund)
        context.notifier.notify(Topic.REFUNDS)
        return view

    view = run(work)
    sentence = f"Refund of {format_money(view.amount, view.currency)} requested for payment {reference}."
    print_result(view, sentence, as_json=as_json)
