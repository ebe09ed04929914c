"""What the commands of `holds` do."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.money import format_money
from kit.audit.actor import command_actor
from kit.auth import Caller
from services.payments.cli.actions.command import Context, run
from services.payments.cli.actions.output import print_result, print_views
from services.payments.cli.actions.refunds import request_refund
from services.payments.cli.actions.values import Money, refund_amount
from services.payments.db import Topic, sessions
from services.payments.holds import review
from services.payments.holds.possible_decisions import reviews
from services.payments.models import Payment
from services.payments.refunds.requests import unfinished_amounts
from services.payments.schemas import HeldDecision, PaymentView
from services.payments.statuses import PaymentStatus

COLUMNS = ("created_at", "reference", "held_reason", "order_amount", "paid", "difference", "decisions")

COMMANDS = {
    HeldDecision.ACCEPT: "accept",
    HeldDecision.REFUND_DIFFERENCE: "accept --refund-difference",
    HeldDecision.BIND: "bind",
    HeldDecision.REFUND_ALL: "refund",
}
"""The command of `holds` for each decision."""


class PaymentOnTerminal(PaymentView):
    """A payment with its amounts as people read them."""

    @property
    def order_amount(self) -> str:
        """The amount of the order."""
        return format_money(self.amount, self.currency) if self.order_id else "-"

    @property
    def paid(self) -> str:
        """The paid amount, and how much of it was refunded."""
        if self.paid_amount is None:
            return "-"
        currency = self.paid_currency or self.currency
        refunded = f", {format_money(self.refunded_amount, currency)} refunded" if self.refunded_amount else ""
        return f"{format_money(self.paid_amount, currency)}{refunded}"

    @property
    def difference(self) -> str:
        """How much more was received than the order costs: negative if it is less."""
        if self.review is None or self.review.difference is None:
            return "-"
        return format_money(self.review.difference, self.currency)

    @property
    def decisions(self) -> str:
        """The decisions that are possible now, as commands of `holds`."""
        return ", ".join(COMMANDS[each] for each in self.review.decisions) if self.review else "-"


async def held_views(session: AsyncSession, payments: Sequence[Payment]) -> list[PaymentOnTerminal]:
    """Return the views of payments, with the reviews of held ones."""
    refunding = await unfinished_amounts(session, [payment.id for payment in payments])
    held = await reviews(session, payments, refunding)
    return [
        PaymentOnTerminal.model_validate(payment).model_copy(
            update={"refunding_amount": refunding.get(payment.id, 0), "review": held.get(payment.id)}
        )
        for payment in payments
    ]


def list_held_payments(*, limit: int, as_json: bool) -> None:
    """Print the held payments, oldest first."""

    async def work(context: Context) -> list[PaymentOnTerminal]:
        async with sessions() as session:
            query = select(Payment).where(Payment.status == PaymentStatus.HELD).order_by(Payment.id).limit(limit)
            return await held_views(session, (await session.execute(query)).scalars().all())

    print_views(run(work), COLUMNS, as_json=as_json, if_empty="No payments are held.")


def accept(reference: str, reason: str, *, refund_difference: bool, as_json: bool) -> None:
    """Accept a held payment, and request a refund of what was paid too much if the operator wants that."""

    async def work(context: Context) -> PaymentOnTerminal:
        async with sessions.begin() as session:
            payment = await review.accept(
                session, reference, command_actor(), reason, refund_difference=refund_difference
            )
            await session.refresh(payment)
            (view,) = await held_views(session, [payment])
        context.notifier.notify(Topic.OUTBOX, *([Topic.REFUNDS] if refund_difference else ()))
        return view

    view = run(work)
    refund = (
        f" A refund of {format_money(view.refunding_amount, view.paid_currency or view.currency)} is requested."
        if refund_difference
        else ""
    )
    print_result(view, f"Payment {reference} accepted. Its order will be delivered.{refund}", as_json=as_json)


def bind(reference: str, order_id: UUID, reason: str, token: str, *, as_json: bool) -> None:
    """Bind a held payment to an order, which is read from catalog with the access token."""

    async def work(context: Context) -> PaymentView:
        actor = command_actor()
        caller = Caller(id=actor.id, email=None, scopes=frozenset(), token=token)
        order = await context.clients.catalog.get_order(order_id, caller)
        async with sessions.begin() as session:
            payment = await review.bind(session, reference, actor, order, reason)
            await session.refresh(payment)
            view = PaymentView.model_validate(payment)
        context.notifier.notify(Topic.OUTBOX)
        return view

    sentence = f"Payment {reference} bound to order {order_id}, which will be delivered."
    print_result(run(work), sentence, as_json=as_json)


def refund(reference: str, reason: str, amount: Money | None, subunits: int | None, *, as_json: bool) -> None:
    """Refund a held payment."""
    request_refund(
        reference, reason, refund_amount(amount, subunits), expected_status=PaymentStatus.HELD, as_json=as_json
    )
