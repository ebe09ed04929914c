"""Lock and write the payments of a batch of charges, each with one statement for the whole batch."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Text, any_, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.reasons import HeldReason
from kit.db.bulk import array_parameters, array_values, table_of
from services.payments.models import Payment
from services.payments.paystack.charge import Charge
from services.payments.settlement.rules import Transition
from services.payments.statuses import PaymentStatus


class LockedPayment(NamedTuple):
    """The columns of a payment that settlement reads under the row lock."""

    id: int
    reference: str
    order_id: UUID | None
    customer_id: str | None
    started_by_program: bool
    email: str | None
    created_at: datetime
    amount: int
    currency: str
    client_metadata: dict[str, str]
    status: PaymentStatus
    paystack_id: int | None
    paid_amount: int | None
    paid_currency: str | None
    traceparent: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """The new status of a payment, and the charge that caused it."""

    payment_id: int
    transition: Transition
    charge: Charge

    def values(self) -> dict[str, object]:
        """Return the new values of the payment's columns, and its id."""
        return {
            "id": self.payment_id,
            "status": self.transition.status,
            "held_reason": self.transition.held_reason,
            **_reported_columns(self.charge),
        }


PAYMENTS = table_of(Payment)
LOCK = (
    select(*(PAYMENTS.c[name] for name in LockedPayment._fields))
    .where(PAYMENTS.c.reference == any_(bindparam("references", type_=ARRAY(Text))))
    .order_by(PAYMENTS.c.id)
    .with_for_update()
)
CHANGED_COLUMNS = (
    "status",
    "held_reason",
    "paystack_id",
    "paid_amount",
    "paid_currency",
    "fees",
    "domain",
    "channel",
    "gateway_response",
    "paystack_status",
    "paid_at",
)
_new = array_parameters(id=BigInteger, **{name: PAYMENTS.c[name].type for name in CHANGED_COLUMNS})
WRITE = (
    update(PAYMENTS)
    .where(PAYMENTS.c.id == _new.c.id)
    .values({**{name: _new.c[name] for name in CHANGED_COLUMNS}, "updated_at": func.now()})
)


async def lock_payments(session: AsyncSession, references: Iterable[str]) -> dict[str, LockedPayment]:
    """Lock the payments with these references in the order of their ids. Return those that exist, by reference."""
    rows = await session.execute(LOCK, {"references": list(references)})
    return {payment.reference: payment for payment in (LockedPayment(*row) for row in rows)}


async def write_changes(session: AsyncSession, changes: Collection[Change]) -> None:
    """Write the changes of locked payments."""
    if changes:
        rows = [change.values() for change in changes]
        columns = {name: [row[name] for row in rows] for name in ("id", *CHANGED_COLUMNS)}
        await session.execute(WRITE, array_values(**columns))


async def insert_unknown_payments(session: AsyncSession, charges: Collection[Charge]) -> Sequence[tuple[int, str]]:
    """Insert held payments for charges with unknown references. Return the ids and references of the payments that did not exist yet."""
    rows = [
        {
            "reference": charge.reference,
            "amount": 0,
            "currency": charge.currency,
            "status": PaymentStatus.HELD,
            "held_reason": HeldReason.UNKNOWN_REFERENCE,
            "verify_next_attempt_at": func.now(),
            # Its refunds may have been reported before the charge was: ask Paystack for them.
            "refunds_next_attempt_at": func.now(),
            **_reported_columns(charge),
        }
        # In the order of the references: otherwise two transactions that insert the same references could deadlock.
        for charge in sorted(charges, key=lambda charge: charge.reference)
    ]
    if not rows:
        return []
    new = insert(Payment).values(rows).on_conflict_do_nothing(index_elements=["reference"])
    inserted = await session.execute(new.returning(Payment.id, Payment.reference))
    return [(payment_id, reference) for payment_id, reference in inserted]


def _reported_columns(charge: Charge) -> dict[str, object]:
    return {
        "paystack_id": charge.id,
        "paid_amount": charge.amount if charge.paid else None,
        "paid_currency": charge.currency,
        "fees": charge.fees,
        "domain": charge.domain,
        "channel": charge.channel,
        "gateway_response": charge.gateway_response,
        "paystack_status": charge.status,
        "paid_at": charge.paid_at,
    }
