"""The commands `holds list`, `holds accept` and `holds refund`."""

from typing import Annotated, NamedTuple

import typer
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.money import format_money, parse_money
from kit.audit.actor import command_actor
from kit.fields import MAX_AMOUNT
from services.payments.cli.command import Context, run
from services.payments.cli.options import AsJson, Limit, Reason, Reference, RefundReason
from services.payments.cli.output import print_result, print_views
from services.payments.db import Topic, sessions
from services.payments.errors import NotHeld, PaymentNotFound, RefundCurrencyDiffers
from services.payments.holds import review
from services.payments.models import Payment, PaymentStatus
from services.payments.refunds import requests
from services.payments.refunds.schemas import RefundView
from services.payments.schemas import PaymentView

cli = typer.Typer(help="Review held payments: list, accept or refund them.", no_args_is_help=True)
COLUMNS = ("reference", "held_reason", "order_amount", "paid", "order_id", "created_at")


class Money(NamedTuple):
    """An amount that an operator typed. `currency` is None if it was not typed."""

    subunits: int
    currency: str | None


def _parse_amount(typed: str) -> Money:
    try:
        subunits, currency = parse_money(typed)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    if not 1 <= subunits <= MAX_AMOUNT:
        raise typer.BadParameter(f"use an amount from 0.01 to {format_money(MAX_AMOUNT, '')[1:]}")
    return Money(subunits, currency)


class HeldPaymentView(PaymentView):
    paid_currency: str | None = Field(description="Currency of the paid amount")

    @property
    def order_amount(self) -> str:
        """The amount of the order."""
        return format_money(self.amount, self.currency) if self.order_id else "-"

    @property
    def paid(self) -> str:
        """The paid amount, and how much of it was refunded."""
        currency = self.paid_currency or self.currency
        refunded = f", {format_money(self.refunded_amount, currency)} refunded" if self.refunded_amount else ""
        return f"{format_money(self.paid_amount or 0, currency)}{refunded}"


@cli.command(name="list")
def list_held_payments(limit: Limit = 50, as_json: AsJson = False) -> None:
    """List the held payments, oldest first."""

    async def work(context: Context) -> list[HeldPaymentView]:
        async with sessions() as session:
            query = select(Payment).where(Payment.status == PaymentStatus.HELD).order_by(Payment.id).limit(limit)
            return [HeldPaymentView.model_validate(payment) for payment in (await session.execute(query)).scalars()]

    print_views(run(work), COLUMNS, as_json=as_json, if_empty="No payments are held.")


@cli.command()
def accept(reference: Reference, reason: Reason, as_json: AsJson = False) -> None:
    """Accept a held payment although amount, currency or mode differs. Its order is delivered.

    Exit code 1: the payment does not exist, is not held or cannot be accepted.
    """

    async def work(context: Context) -> PaymentView:
        async with sessions.begin() as session:
            payment = await review.accept(session, reference, command_actor(), reason)
            await session.refresh(payment)
            view = PaymentView.model_validate(payment)
        context.notifier.notify(Topic.OUTBOX)
        return view

    print_result(run(work), f"Payment {reference} accepted. Its order will be delivered.", as_json=as_json)


@cli.command()
def refund(
    reference: Reference,
    reason: RefundReason,
    amount: Annotated[
        Money | None,
        typer.Option(
            parser=_parse_amount,
            metavar="AMOUNT",
            help="Amount, such as 2500.00 or NGN 2,500.00. Default: all that is not refunded yet.",
        ),
    ] = None,
    subunits: Annotated[
        int | None, typer.Option(min=1, max=MAX_AMOUNT, help="Amount in subunits, instead of --amount.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Refund a held payment to the payer. The worker sends the refund to Paystack.

    Exit code 1: the payment does not exist, is not held, or the amount is too large or in another currency.
    """
    if amount is not None and subunits is not None:
        raise typer.BadParameter("use --amount or --subunits, not both")
    wanted = subunits if amount is None else amount.subunits

    async def work(context: Context) -> RefundView:
        async with sessions.begin() as session:
            await _check_held(session, reference, amount)
            refund = await requests.request_refund_as_operator(
                session, command_actor(), reference, amount=wanted, reason=reason
            )
            await session.refresh(refund)
            view = RefundView.model_validate(refund)
        context.notifier.notify(Topic.REFUNDS)
        return view

    view = run(work)
    sentence = f"Refund of {format_money(view.amount, view.currency)} requested for payment {reference}."
    print_result(view, sentence, as_json=as_json)


async def _check_held(session: AsyncSession, reference: str, amount: Money | None) -> None:
    """Refuse payments that are not held, and amounts in another currency.

    This command is only for manual review; other refunds are requested through the HTTP API.
    """
    query = select(Payment).where(Payment.reference == reference).with_for_update()
    payment = (await session.execute(query)).scalar_one_or_none()
    if payment is None:
        raise PaymentNotFound
    if payment.status != PaymentStatus.HELD:
        raise NotHeld(f"The payment is {payment.status}, not held: refund it with POST /payments/{reference}/refunds.")
    paid = payment.paid_currency or payment.currency
    if amount is not None and amount.currency not in {None, paid}:
        raise RefundCurrencyDiffers(f"The payment was paid in {paid}, and the amount is in {amount.currency}.")
