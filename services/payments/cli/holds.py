"""held list | accept | refund"""

from typing import Annotated

import typer
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from kit.fields import MAX_AMOUNT
from services.payments.cli.output import (
    AsJson,
    AtMost,
    Context,
    Reason,
    ToldReason,
    operator,
    out,
    print_json,
    print_views,
    run,
)
from services.payments.db import Topic, sessions
from services.payments.errors import NotHeld, PaymentNotFound
from services.payments.holds import review as held_money
from services.payments.models import Payment, PaymentStatus
from services.payments.refunds import requests
from services.payments.refunds.schemas import RefundView
from services.payments.schemas import PaymentView

cli = typer.Typer(help="Money that waits for a person.", no_args_is_help=True)
Reference = Annotated[str, typer.Argument(help="The payment's reference.")]
COLUMNS = ("reference", "held_reason", "owed", "paid", "order_id", "created_at")


class HeldView(PaymentView):
    paid_currency: str | None

    @property
    def owed(self) -> str:
        return f"{self.amount} {self.currency}" if self.order_id else "-"

    @property
    def paid(self) -> str:
        back = f", {self.refunded_amount} went back" if self.refunded_amount else ""
        return f"{self.paid_amount or 0} {self.paid_currency or self.currency}{back}"


@cli.command(name="list")
def list_held(limit: AtMost = 50, as_json: AsJson = False) -> None:
    """Oldest first. Amounts in subunits."""

    async def work(context: Context) -> list[HeldView]:
        async with sessions() as session:
            query = select(Payment).where(Payment.status == PaymentStatus.HELD).order_by(Payment.id).limit(limit)
            return [HeldView.model_validate(payment) for payment in (await session.execute(query)).scalars()]

    print_views(run(work), COLUMNS, as_json=as_json, nothing="nothing is held")


@cli.command()
def accept(reference: Reference, reason: Reason, as_json: AsJson = False) -> None:
    """Deliver for what was paid, although it differs."""

    async def work(context: Context) -> PaymentView:
        async with sessions.begin() as session:
            payment = await held_money.accept(session, reference, operator(), reason)
            await session.refresh(payment)
            view = PaymentView.model_validate(payment)
        context.notifier.notify(Topic.OUTBOX)
        return view

    _say(run(work), f"{reference} is accepted, and its order will be delivered", as_json=as_json)


@cli.command()
def refund(
    reference: Reference,
    reason: ToldReason,
    amount: Annotated[
        int | None, typer.Option("--amount", min=1, max=MAX_AMOUNT, help="Subunits; all of it where it is not given.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Give it back."""

    async def work(context: Context) -> RefundView:
        async with sessions.begin() as session:
            await _check(session, reference)
            asked = await requests.request_refund(
                session, reference, amount=amount, reason=reason, requested_by=operator().id
            )
            await session.refresh(asked)
            view = RefundView.model_validate(asked)
        context.notifier.notify(Topic.REFUNDS)
        return view

    view = run(work)
    _say(view, f"{view.amount} {view.currency} of {reference} go back to the payer", as_json=as_json)


async def _check(session: AsyncSession, reference: str) -> None:
    """What is not held is refunded over the API, where the customer's case is known."""
    query = select(Payment.status).where(Payment.reference == reference).with_for_update()
    status = (await session.execute(query)).scalar_one_or_none()
    if status is None:
        raise PaymentNotFound
    if status != PaymentStatus.HELD:
        raise NotHeld(f"The payment is {status}.")


def _say(view: BaseModel, sentence: str, *, as_json: bool) -> None:
    if as_json:
        print_json(view.model_dump(mode="json"))
    else:
        out.print(sentence, markup=False)
