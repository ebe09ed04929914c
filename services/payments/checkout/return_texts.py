"""What the return page tells the payer. Pure functions: no settings, no I/O."""

from datetime import UTC, datetime, timedelta, timezone
from typing import NamedTuple, Protocol

from contracts.money import format_money
from services.payments.models import UNPAID
from services.payments.paystack.channels import Channel
from services.payments.paystack.progress import WaitingFor, waiting_for
from services.payments.statuses import PaymentStatus

INCORRECT_AMOUNT = "INCORRECT_AMOUNT"
"""Paystack's reason for a rejected transfer whose amount is wrong."""

COUNTRY_TIMES = {
    "NGN": ("Lagos", 1),
    "GHS": ("Accra", 0),
    "ZAR": ("Johannesburg", 2),
    "KES": ("Nairobi", 3),
    "XOF": ("Abidjan", 0),
}
"""The time zone of the payers with each currency: its city, and its hours ahead of UTC. None of these countries has a summer time."""

TEXTS = {
    PaymentStatus.PENDING: (
        "Almost there",
        "The payment of {amount} is not confirmed yet. If you have paid, do not pay again: the confirmation will follow. "
        "If you cancelled or did not pay, nothing was charged.",
    ),
    PaymentStatus.FAILED: (
        "Not paid",
        "The payment of {amount} was declined, and nothing was charged. You may try again.",
    ),
    PaymentStatus.ABANDONED: (
        "Not paid",
        "The payment of {amount} was not completed, and nothing was charged. You may try again.",
    ),
    PaymentStatus.SUCCEEDED: ("Thank you", "Your payment of {amount} was received."),
    PaymentStatus.HELD: (
        "Under review",
        "Your payment of {amount} was received and is being reviewed. Please do not pay again.",
    ),
    PaymentStatus.PARTIALLY_REFUNDED: (
        "Partly refunded",
        "Your payment of {amount} was received, and {refunded} of it was refunded.",
    ),
    PaymentStatus.REFUNDED: ("Refunded", "Your payment of {amount} was refunded."),
    PaymentStatus.DISPUTED: (
        "In dispute",
        "Your payment of {amount} was received. Your bank is examining a dispute about it.",
    ),
}
"""Title and text by status. For an unpaid payment, `page_text` chooses by Paystack's latest answer."""


class ShownPayment(Protocol):
    """The columns of a payment that the page shows."""

    @property
    def status(self) -> PaymentStatus: ...
    @property
    def amount(self) -> int: ...
    @property
    def currency(self) -> str: ...
    @property
    def paid_amount(self) -> int | None: ...
    @property
    def paid_currency(self) -> str | None: ...
    @property
    def refunded_amount(self) -> int: ...
    @property
    def channel(self) -> str | None: ...
    @property
    def paystack_status(self) -> str | None: ...
    @property
    def authorization_url(self) -> str | None: ...
    @property
    def payable_until(self) -> datetime | None: ...


class RejectedTransfer(NamedTuple):
    """The last bank transfer that Paystack rejected. `amount` in subunits, None if it is not known; `reason`: Paystack's code."""

    amount: int | None
    reason: str | None


class PageText(NamedTuple):
    """What the page says. `pay_url`: the page on which the payer can pay now, if the page links to it."""

    title: str
    text: str
    pay_url: str | None = None


def page_text(
    payment: ShownPayment, reported: str | None, rejected: RejectedTransfer | None, now: datetime
) -> PageText:
    """Return what the page says about a payment.

    `reported`: the status that Paystack has just answered, None without an answer. A payer who reads that nothing was charged pays again,
    although a transfer may be on its way. So the stored status `failed` or `abandoned` is not shown: the page says it only if Paystack has
    just answered it. Without an answer, the page still says that a transfer is on its way if Paystack has reported one before.
    """
    if payment.status not in UNPAID:
        return _filled(payment.status, payment)
    if rejected is not None:
        return _rejected(payment, rejected, now)
    if waiting_for(reported or payment.paystack_status, payment.channel) == WaitingFor.BANK_TRANSFER:
        return _waiting_for_transfer(payment, now)
    if reported == "failed" and payment.channel == Channel.BANK_TRANSFER:
        return _failed_transfer(payment)
    shown = {"failed": PaymentStatus.FAILED, "abandoned": PaymentStatus.ABANDONED}
    return _filled(shown.get(reported or "", PaymentStatus.PENDING), payment)


def _filled(status: PaymentStatus, payment: ShownPayment) -> PageText:
    """Fill in the paid amount, or the amount to pay, and the refunded amount."""
    currency = payment.paid_currency or payment.currency
    amount = payment.amount if payment.paid_amount is None else payment.paid_amount
    title, text = TEXTS[status]
    refunded = format_money(payment.refunded_amount, currency)
    return PageText(title, text.format(amount=format_money(amount, currency), refunded=refunded))


def _waiting_for_transfer(payment: ShownPayment, now: datetime) -> PageText:
    ends = payment.payable_until
    until = (
        f" It can arrive until {local_time(ends, payment.currency, now)}." if ends is not None and ends > now else ""
    )
    return PageText(
        "Waiting for your transfer",
        f"Your bank transfer of {format_money(payment.amount, payment.currency)} has not arrived yet.{until} "
        "If you have sent it, do not pay again: the confirmation will follow. If you have not sent it, nothing was charged.",
    )


def _failed_transfer(payment: ShownPayment) -> PageText:
    """Say that no transfer was accepted. The payer may have sent one nevertheless, for example to an account number that had expired."""
    return PageText(
        "Not paid",
        f"No bank transfer of {format_money(payment.amount, payment.currency)} was accepted for this payment. If you have sent one, "
        "contact the shop before you pay again. If you have not, nothing was charged, and you may try again.",
    )


def _rejected(payment: ShownPayment, rejected: RejectedTransfer, now: datetime) -> PageText:
    """Say why a transfer was rejected, where its money is, and what to do now."""
    due = format_money(payment.amount, payment.currency)
    sent = "" if rejected.amount is None else f" of {format_money(rejected.amount, payment.currency)}"
    wrong_amount = rejected.reason == INCORRECT_AMOUNT
    why = ", because its amount is wrong" if wrong_amount else ""
    payable = payment.authorization_url is not None and (payment.payable_until is None or payment.payable_until > now)
    if not payable:
        how = "This payment has ended: go back to the shop to pay again."
    elif wrong_amount:
        how = f"To pay, transfer exactly {due} on the payment page."
    else:
        how = f"To pay {due}, go back to the payment page, and transfer again or pay in another way."
    return PageText(
        "Transfer rejected",
        f"Your bank transfer{sent} was not accepted{why}. The money goes back to the account from which you sent it. {how} "
        "If you have done so already, do not pay again: the confirmation will follow.",
        payment.authorization_url if payable else None,
    )


def local_time(at: datetime, currency: str, now: datetime) -> str:
    """Return a time as payers with this currency read it: `14:30 (Lagos time)`, with the date if it is not today."""
    city, hours = COUNTRY_TIMES.get(currency, ("", 0))
    zone = timezone(timedelta(hours=hours)) if city else UTC
    local = at.astimezone(zone)
    date = "" if local.date() == now.astimezone(zone).date() else f" on {local.day} {local:%B}"
    return f"{local:%H:%M}{date} ({f'{city} time' if city else 'UTC'})"
