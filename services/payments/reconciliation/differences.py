"""Compare one payment with its charge at Paystack. Pure functions without I/O."""

from typing import NamedTuple

from contracts.money import format_money
from contracts.reasons import HeldReason
from services.payments.models import PAID_NOT_FULLY_REFUNDED
from services.payments.paystack.charge import REVERSED, Charge
from services.payments.reconciliation.report import DifferenceKind, Report
from services.payments.statuses import PaymentStatus

MATCHING_STATUSES = {
    "success": PAID_NOT_FULLY_REFUNDED,
    "reversal-pending": PAID_NOT_FULLY_REFUNDED | {PaymentStatus.REFUNDED},
    "reversed": frozenset({PaymentStatus.DISPUTED, PaymentStatus.PARTIALLY_REFUNDED, PaymentStatus.REFUNDED}),
}
"""For each status of a paid transaction at Paystack, the statuses that the payment can have here."""


class ComparedPayment(NamedTuple):
    """The columns of a payment that are compared."""

    id: int
    reference: str
    status: PaymentStatus
    held_reason: HeldReason | None
    paid_amount: int | None
    paid_currency: str | None
    refunded_amount: int
    fees: int | None


def add_differences(report: Report, payment: ComparedPayment | None, charge: Charge) -> None:
    """Add the differences between a payment and its charge at Paystack to the report."""
    there = f"{charge.status}, {format_money(charge.amount, charge.currency)}"
    if payment is None:
        if charge.paid:
            report.add(DifferenceKind.MISSING_HERE, reference=charge.reference, there=there)
        return
    here = describe(payment)
    is_paid = payment.paid_amount is not None
    if is_paid != charge.paid or (is_paid and not _status_matches(payment, charge)):
        report.add(DifferenceKind.STATUS_DIFFERS, reference=charge.reference, here=here, there=there)
    if not is_paid or not charge.paid:
        return
    if (payment.paid_amount, payment.paid_currency) != (charge.amount, charge.currency):
        report.add(DifferenceKind.AMOUNT_DIFFERS, reference=charge.reference, here=here, there=there)
    if payment.fees is not None and charge.fees is not None and payment.fees != charge.fees:
        here, there = (format_money(fees, charge.currency) for fees in (payment.fees, charge.fees))
        report.add(DifferenceKind.FEE_DIFFERS, reference=charge.reference, here=here, there=there)


def _status_matches(payment: ComparedPayment, charge: Charge) -> bool:
    if payment.status == PaymentStatus.HELD and payment.held_reason == HeldReason.REVERSED:
        return charge.status in REVERSED
    # A partially refunded payment that is held counts as partially refunded.
    is_partially_refunded = payment.status == PaymentStatus.HELD and payment.refunded_amount > 0
    status = PaymentStatus.PARTIALLY_REFUNDED if is_partially_refunded else payment.status
    return status in MATCHING_STATUSES[charge.status]


def describe(payment: ComparedPayment) -> str:
    """Return the status and the paid amount in words, for a report."""
    status = f"{payment.status} ({payment.held_reason})" if payment.held_reason else payment.status
    if payment.paid_amount is None:
        return status
    return f"{status}, {format_money(payment.paid_amount, payment.paid_currency or '')}"
