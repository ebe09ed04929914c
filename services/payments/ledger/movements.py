"""What each movement of money does to the accounts. An amount is signed: into an account it is positive, out of it negative.

    paystack:receivable   what Paystack owes us             sales     what was earned          (negative)
    paystack:other_mode   the same, in the mode not ours    held      what waits for a person  (negative)
    bank                  what was paid out to us           fees      what Paystack keeps
    disputes              what Paystack keeps back          refunds   what was earned and given back

    received       receivable ◄── sales, or held            disputed       disputes ◄── receivable
    fee            fees ◄── receivable                      dispute_won    receivable ◄── disputes
    accepted       held ◄── sales                           dispute_lost   receivable ◄── disputes: its refund follows
    bound          held ◄── sales                           settled        bank ◄── receivable
    refunded       refunds, or held ◄── receivable

`a ◄── b`: the amount is added to a and taken from b, so that every movement balances, and all accounts of a currency together are zero.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from services.payments.holds.models import Decision
from services.payments.ledger.models import Payout
from services.payments.models import Payment
from services.payments.paystack.charge import Charge
from services.payments.refunds.models import Refund
from services.payments.settings import settings

Kind = Literal["received", "fee", "accepted", "bound", "refunded", "disputed", "dispute_won", "dispute_lost", "settled"]
Account = Literal["paystack:receivable", "paystack:other_mode", "bank", "disputes", "sales", "held", "fees", "refunds"]


@dataclass(frozen=True, slots=True)
class Movement:
    """`amount` subunits of `currency`, into one account and out of another, once for each `key`.

    `occurred_at`: when it happened at Paystack; None is now.
    """

    key: str
    kind: Kind
    into: Account
    out_of: Account
    amount: int
    currency: str
    payment_id: int | None = None
    occurred_at: datetime | None = None


def received(payment_id: int, charge: Charge, *, out_of: Literal["sales", "held"]) -> list[Movement]:
    """A paid charge, and Paystack's fee for it where it is known yet."""
    came = Movement(
        f"received:{charge.reference}",
        "received",
        _receivable(charge.domain),
        out_of,
        charge.amount,
        charge.currency,
        payment_id,
        charge.paid_at,
    )
    return [came, *fee(payment_id, charge)]


def fee(payment_id: int, charge: Charge) -> list[Movement]:
    """Paystack tells it late at times: not in every channel's notice."""
    if charge.fees is None:
        return []
    return [
        Movement(
            f"fee:{charge.reference}",
            "fee",
            "fees",
            _receivable(charge.domain),
            charge.fees,
            charge.currency,
            payment_id,
            charge.paid_at,
        )
    ]


def decided(payment: Payment, decision: Decision) -> Movement:
    """Held money, or what is left of it, is earned: a person accepted it, or bound it to an order."""
    return Movement(
        f"decided:{payment.reference}",
        "accepted" if decision.decision == "accept" else "bound",
        "held",
        "sales",
        (payment.paid_amount or 0) - payment.refunded_amount,
        payment.paid_currency or payment.currency,
        payment.id,
    )


def refunded(payment: Payment, refund: Refund) -> Movement:
    """Money that went back: of what was earned, or of what is held still."""
    return Movement(
        f"refunded:{refund.id}",
        "refunded",
        "refunds" if payment.held_reason is None else "held",
        _receivable(payment.domain),
        refund.amount,
        refund.currency,
        payment.id,
    )


def disputed(payment: Payment, dispute_id: int, amount: int) -> Movement:
    """Kept back by Paystack until the dispute is decided. `dispute_id` is Paystack's."""
    return Movement(
        disputed_key(dispute_id),
        "disputed",
        "disputes",
        _receivable(payment.domain),
        amount,
        payment.paid_currency or payment.currency,
        payment.id,
    )


def disputed_key(dispute_id: int) -> str:
    return f"disputed:{dispute_id}"


def dispute_over(payment: Payment, dispute_id: int, amount: int, *, lost: bool) -> Movement:
    """No longer kept back. What a lost one gives back is its refund's movement, as it is a refund at Paystack."""
    return Movement(
        f"dispute_over:{dispute_id}",
        "dispute_lost" if lost else "dispute_won",
        _receivable(payment.domain),
        "disputes",
        amount,
        payment.paid_currency or payment.currency,
        payment.id,
    )


def settled(payout: Payout) -> Movement:
    return Movement(
        f"settled:{payout.id}",
        "settled",
        "bank",
        "paystack:receivable",
        payout.amount,
        payout.currency,
        occurred_at=payout.paid_out_at,
    )


def _receivable(domain: str | None) -> Account:
    return "paystack:receivable" if domain == settings.domain else "paystack:other_mode"
