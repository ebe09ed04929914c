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
from uuid import UUID

from services.payments.ledger.models import Account, MovementKind, Payout
from services.payments.mode import Mode
from services.payments.models import Payment
from services.payments.paystack.charge import Charge


@dataclass(frozen=True, slots=True)
class Movement:
    """`amount` subunits of `currency`, into one account and out of another, once for each `key`.

    `occurred_at`: when it happened at Paystack; None is now.
    """

    key: str
    kind: MovementKind
    into: Account
    out_of: Account
    amount: int
    currency: str
    payment_id: int | None = None
    occurred_at: datetime | None = None


def received(payment_id: int, charge: Charge, mode: Mode, *, out_of: Account) -> list[Movement]:
    """A paid charge, and Paystack's fee for it where it is known yet. `out_of`: sales, or held."""
    came = Movement(
        f"received:{charge.reference}",
        MovementKind.RECEIVED,
        _receivable(charge.domain, mode),
        out_of,
        charge.amount,
        charge.currency,
        payment_id,
        charge.paid_at,
    )
    return [came, *fee(payment_id, charge, mode)]


def fee(payment_id: int, charge: Charge, mode: Mode) -> list[Movement]:
    """Paystack tells it late at times: not in every channel's notice."""
    if charge.fees is None:
        return []
    return [
        Movement(
            f"fee:{charge.reference}",
            MovementKind.FEE,
            Account.FEES,
            _receivable(charge.domain, mode),
            charge.fees,
            charge.currency,
            payment_id,
            charge.paid_at,
        )
    ]


def decided(payment: Payment, kind: MovementKind) -> Movement:
    """Held money, or what is left of it, is earned: an operator accepted it, or bound it to an order. `kind`: accepted or bound."""
    return Movement(
        f"decided:{payment.reference}",
        kind,
        Account.HELD,
        Account.SALES,
        payment.refundable,
        payment.paid_currency or payment.currency,
        payment.id,
    )


def refunded(payment: Payment, refund_id: UUID, amount: int, currency: str, mode: Mode) -> Movement:
    """Money that went back: of what was earned, or of what is held still."""
    return Movement(
        f"refunded:{refund_id}",
        MovementKind.REFUNDED,
        Account.REFUNDS if payment.held_reason is None else Account.HELD,
        _receivable(payment.domain, mode),
        amount,
        currency,
        payment.id,
    )


def disputed(payment: Payment, dispute_id: int, amount: int, mode: Mode) -> Movement:
    """Kept back by Paystack until the dispute is decided. `dispute_id` is Paystack's."""
    return Movement(
        disputed_key(dispute_id),
        MovementKind.DISPUTED,
        Account.DISPUTES,
        _receivable(payment.domain, mode),
        amount,
        payment.paid_currency or payment.currency,
        payment.id,
    )


def disputed_key(dispute_id: int) -> str:
    return f"disputed:{dispute_id}"


def dispute_over(payment: Payment, dispute_id: int, amount: int, mode: Mode, *, lost: bool) -> Movement:
    """No longer kept back. What a lost one gives back is its refund's movement, as it is a refund at Paystack."""
    return Movement(
        f"dispute_over:{dispute_id}",
        MovementKind.DISPUTE_LOST if lost else MovementKind.DISPUTE_WON,
        _receivable(payment.domain, mode),
        Account.DISPUTES,
        amount,
        payment.paid_currency or payment.currency,
        payment.id,
    )


def settled(payout: Payout) -> Movement:
    return Movement(
        f"settled:{payout.id}",
        MovementKind.SETTLED,
        Account.BANK,
        Account.RECEIVABLE,
        payout.amount,
        payout.currency,
        occurred_at=payout.paid_out_at,
    )


def _receivable(domain: str | None, mode: Mode) -> Account:
    return Account.RECEIVABLE if domain == mode else Account.OTHER_MODE
