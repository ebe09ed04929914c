"""Build the movements of money that the ledger records.

The amount of a movement is positive. Of its two entries, the debit is positive and the credit negative.

    paystack:receivable   money that Paystack owes us            sales     earned money                    (negative)
    paystack:other_mode   the same, in the other mode            held      money waiting for an operator   (negative)
    bank                  money paid out to our bank account     fees      Paystack's fees
    disputes              money withheld during disputes         refunds   earned money that was refunded
    other_applications    money of other applications on the same Paystack account, less its fees (negative)

    kind           debited                       credited
    received       receivable                    sales, held or other_applications
    fee            fees or other_applications    receivable
    accepted       held                          sales
    bound          held                          sales
    refunded       refunds or held               receivable
    disputed       disputes                      receivable
    dispute_won    receivable                    disputes
    dispute_lost   receivable                    disputes; a refund follows
    paid_out       bank                          receivable

Here `receivable` means paystack:receivable or, for money in the other mode, paystack:other_mode.

A debit of `held` and a credit of `sales` turns held money into sales, because the balances of both are negative. Every movement
balances, so the sum of all accounts of a currency is zero.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from services.payments.ledger.models import Account, MovementKind, Payout
from services.payments.mode import Mode
from services.payments.models import Payment
from services.payments.paystack.charge import Charge


@dataclass(frozen=True, slots=True)
class Movement:
    """A debit of one account and a credit of another, both of `amount` subunits of `currency`. Recorded once for each `key`.

    `occurred_at` is the time at Paystack; None means now.
    """

    key: str
    kind: MovementKind
    debited: Account
    credited: Account
    amount: int
    currency: str
    payment_id: int | None = None
    occurred_at: datetime | None = None


def received(payment_id: int, charge: Charge, mode: Mode, *, credited: Account) -> list[Movement]:
    """Return the movement of a paid charge and, if Paystack reported its fee, the movement of the fee. `credited`: sales or held."""
    charge_movement = Movement(
        f"received:{charge.reference}",
        MovementKind.RECEIVED,
        _receivable(charge.domain, mode),
        credited,
        charge.amount,
        charge.currency,
        payment_id,
        charge.paid_at,
    )
    return [charge_movement, *fee(payment_id, charge, mode)]


def fee(payment_id: int, charge: Charge, mode: Mode) -> list[Movement]:
    """Return the movement of Paystack's fee, or nothing while the fee is unknown: not every webhook event includes it."""
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


def unrelated(charge: Charge, mode: Mode) -> list[Movement]:
    """Return the movements of a charge that is not ours: Paystack owes us its money too, because it pays out the whole account."""
    receivable, others = _receivable(charge.domain, mode), Account.OTHER_APPLICATIONS
    received = Movement(
        f"unrelated:{charge.reference}",
        MovementKind.RECEIVED,
        receivable,
        others,
        charge.amount,
        charge.currency,
        occurred_at=charge.paid_at,
    )
    if charge.fees is None:
        return [received]
    fee_key = f"unrelated_fee:{charge.reference}"
    return [
        received,
        replace(received, key=fee_key, kind=MovementKind.FEE, debited=others, credited=receivable, amount=charge.fees),
    ]


def decided(payment: Payment, kind: MovementKind) -> Movement:
    """Return the movement of an operator's decision: the held money, less its refunds, becomes sales. `kind`: accepted or bound."""
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
    """Return the movement of a refund. It debits the account `held` if the payment is held, otherwise the account `refunds`."""
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
    """Return the movement of the money that Paystack withholds until the dispute is resolved. `dispute_id` is Paystack's id."""
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
    """Return the key of the movement that `disputed` builds."""
    return f"disputed:{dispute_id}"


def dispute_resolved(payment: Payment, dispute_id: int, amount: int, mode: Mode, *, lost: bool) -> Movement:
    """Return the movement that releases the withheld money. The chargeback of a lost dispute is a refund and has its own movement."""
    return Movement(
        f"dispute_over:{dispute_id}",
        MovementKind.DISPUTE_LOST if lost else MovementKind.DISPUTE_WON,
        _receivable(payment.domain, mode),
        Account.DISPUTES,
        amount,
        payment.paid_currency or payment.currency,
        payment.id,
    )


def paid_out(payout: Payout) -> Movement:
    """Return the movement of a payout from Paystack to our bank account."""
    return Movement(
        f"paid_out:{payout.id}",
        MovementKind.PAID_OUT,
        Account.BANK,
        Account.RECEIVABLE,
        payout.amount,
        payout.currency,
        occurred_at=payout.paid_out_at,
    )


def _receivable(domain: str | None, mode: Mode) -> Account:
    return Account.RECEIVABLE if domain == mode else Account.OTHER_MODE
