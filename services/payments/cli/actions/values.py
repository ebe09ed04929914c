"""Check what an operator typed by the rules of the HTTP API."""

from typing import NamedTuple

import typer

from contracts.money import format_money, parse_money
from kit.fields import MAX_AMOUNT
from services.payments.errors import RefundCurrencyDiffers
from services.payments.models import Payment


class Money(NamedTuple):
    """An amount that an operator typed. `currency` is None if it was not typed."""

    subunits: int
    currency: str | None


def parse_amount(typed: str) -> Money:
    """Return an amount such as 2500.00 or NGN 2,500.00. Raises BadParameter."""
    try:
        subunits, currency = parse_money(typed)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    if not 1 <= subunits <= MAX_AMOUNT:
        raise typer.BadParameter(f"use an amount from 0.01 to {format_money(MAX_AMOUNT, '')[1:]}")
    return Money(subunits, currency)


def refund_amount(amount: Money | None, subunits: int | None) -> Money | None:
    """Return the amount of --amount or --subunits, or None without both.

    Raises BadParameter if both are given, or if there are too many subunits.
    """
    if amount is not None and subunits is not None:
        raise typer.BadParameter("use --amount or --subunits, not both")
    if subunits is not None:
        if not 1 <= subunits <= MAX_AMOUNT:
            raise typer.BadParameter(f"use 1 to {MAX_AMOUNT} subunits", param_hint="--subunits")
        return Money(subunits, None)
    return amount


def check_currency(payment: Payment, amount: Money | None) -> None:
    """Raise RefundCurrencyDiffers if an amount has another currency than the one in which the payment was paid."""
    paid = payment.paid_currency or payment.currency
    if amount is not None and amount.currency not in {None, paid}:
        raise RefundCurrencyDiffers(f"The payment was paid in {paid}, and the amount is in {amount.currency}.")
