"""Rules of settlement: how a charge changes a payment. Pure functions: no settings, no database, no log.

    pending | failed | abandoned ── success, amount check passed ──► succeeded      publishes payment.succeeded
                                 ── success, amount check failed ──► held           publishes payment.held; manual review
    pending | failed | abandoned ── reversed ──► held (reversed)                    paid and refunded before we received a webhook event
    pending ── failed ──► failed                                                    publishes payment.failed
    unrelated reference ── success ──► no payment: recorded as an unrelated charge (references.py)
    unknown reference ── success ──► held (unknown_reference)                       recorded as a payment without an order

Everything else changes nothing. For example, a succeeded payment stays succeeded when a charge is reported again or is reversed.
"""

from dataclasses import dataclass
from typing import NamedTuple

from contracts.money import format_money
from contracts.reasons import HeldReason
from services.payments.mode import Mode
from services.payments.models import UNPAID
from services.payments.paystack.charge import REVERSED, Charge
from services.payments.statuses import PaymentStatus

STATUSES_WITH_EFFECT = REVERSED | {"success", "failed"}
"""Paystack's statuses of a charge that can change a payment. A charge with another status changes nothing."""


@dataclass(frozen=True, slots=True)
class Transition:
    """The new status of a payment, and why it is held."""

    status: PaymentStatus
    held_reason: HeldReason | None = None


def find_mismatch(expected_amount: int, expected_currency: str, charge: Charge, mode: Mode) -> HeldReason | None:
    """Return why a paid charge does not pay for an order, or None if it does.

    The charge must be in our mode and in the order's currency. Its amount must be the order's amount, or that amount plus the fees if the
    payer bears the fees (Paystack's samples: amount 40333 = requested_amount 30050 + fees 10283).
    """
    if charge.domain != mode:
        return HeldReason.MODE_DIFFERS
    if charge.currency != expected_currency:
        return HeldReason.CURRENCY_DIFFERS
    with_fees = charge.requested_amount == expected_amount and charge.amount == expected_amount + (charge.fees or 0)
    return None if charge.amount == expected_amount or with_fees else HeldReason.AMOUNT_DIFFERS


def find_transition(status: PaymentStatus, charge: Charge, mismatch: HeldReason | None) -> Transition | None:
    """Return the transition of a payment with this status, or None if the charge changes nothing.

    `mismatch` is the result of `find_mismatch`; it matters only for a successful charge.
    """
    if status not in UNPAID:
        return None
    if charge.status == "success":
        return Transition(PaymentStatus.SUCCEEDED if mismatch is None else PaymentStatus.HELD, mismatch)
    if charge.status == "failed" and status == PaymentStatus.PENDING:
        return Transition(PaymentStatus.FAILED)
    if charge.status in REVERSED:
        # Paid and refunded before we received a webhook event: the order must not be delivered, and the refund must still be recorded.
        return Transition(PaymentStatus.HELD, HeldReason.REVERSED)
    return None


class PaidCharge(NamedTuple):
    """The charge that has paid a payment. `amount` is in subunits."""

    id: int | None
    amount: int
    currency: str | None


def find_conflict(recorded: PaidCharge | None, charge: Charge) -> str | None:
    """Return how a successful charge differs from the charge that has paid its payment already, or None if it is the same charge.

    Two successful charges with one reference mean that the payer paid twice, or that another application uses our references. A missing
    id is equal to every id.
    """
    if recorded is None or charge.status != "success":
        return None
    same_id = recorded.id is None or charge.id is None or recorded.id == charge.id
    if same_id and (recorded.amount, recorded.currency) == (charge.amount, charge.currency):
        return None
    return (
        f"the payment is paid by the charge {recorded.id} of {format_money(recorded.amount, recorded.currency or '')}, "
        f"and this is the charge {charge.id} of {format_money(charge.amount, charge.currency)}"
    )


def saves_card(customer_id: str | None, status: PaymentStatus, charge: Charge, mismatch: HeldReason | None) -> bool:
    """Return True if the charge paid for a known customer's order, so its card can be saved.

    `status` is the payment's status after the charge. A charge that changes nothing is checked too, because an earlier report of the
    same charge may not have included the card.
    """
    pays_order = status == PaymentStatus.SUCCEEDED and charge.status == "success" and mismatch is None
    return pays_order and customer_id is not None and charge.authorization is not None
