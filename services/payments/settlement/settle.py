"""Apply charges to payments: status, ledger, saved cards and events in one transaction. The rules are in rules.py."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import structlog
from prometheus_client import Counter
from sqlalchemy import ARRAY, BigInteger, Text, any_, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.events import Event, HeldReason
from kit.db.bulk import array_parameters, array_values, table_of
from kit.messaging import outbox
from kit.observability.tracing import continue_trace
from services.payments import events as announcements
from services.payments.cards import saved_cards
from services.payments.cards.saved_cards import PaidCard
from services.payments.ledger import journal, movements
from services.payments.ledger.models import Account
from services.payments.ledger.movements import Movement
from services.payments.models import OutboxRow, Payment, PaymentStatus
from services.payments.paystack.charge import Charge
from services.payments.refunds import requests
from services.payments.settings import settings
from services.payments.settlement.rules import Transition, check_amount, decide, saves_card

UNKNOWN = f"{PaymentStatus.HELD}: {HeldReason.UNKNOWN_REFERENCE}"
settled_total = Counter("payments_settled_total", "Payments by what a charge made of them", ["status", "reason"])
log = structlog.get_logger("settlement")


@dataclass(frozen=True, slots=True)
class Settled:
    """The result of one charge: for the webhook event's `outcome`, and the log."""

    reference: str
    outcome: str


class LockedPayment(NamedTuple):
    """The columns of a payment that settlement reads under the row lock."""

    id: int
    reference: str
    order_id: UUID | None
    payer_id: str | None
    email: str | None
    created_at: datetime
    amount: int
    currency: str
    status: PaymentStatus
    traceparent: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """What is written to a payment."""

    payment_id: int
    transition: Transition
    charge: Charge

    def values(self) -> dict[str, object]:
        return {
            "id": self.payment_id,
            "status": self.transition.status,
            "held_reason": self.transition.held_reason,
            **_reported(self.charge),
        }


async def settle(session: AsyncSession, charges: Sequence[Charge], *, refunded: Sequence[str] = ()) -> list[Settled]:
    """Apply each charge in this transaction: payments, the ledger and the events together. Return results in the order of the charges.

    `refunded`: references of payments whose refunds changed at Paystack; their refunds are scheduled for synchronization, together with
    those of charges that were reversed. Payments are locked in order of id. A payment that another transaction holds makes this wait for
    the lock timeout at most.
    """
    by_reference = await _lock(session, {charge.reference for charge in charges}) if charges else {}
    changes: dict[str, Change] = {}
    moved: list[Movement] = []
    returned = list(refunded)
    events: dict[str, Event] = {}
    strangers: dict[str, Charge] = {}
    paid_cards: list[PaidCard] = []
    outcomes: list[Settled] = []
    for charge in charges:
        payment = by_reference.get(charge.reference)
        paid = charge.status == "success"
        if payment is None:
            if paid:
                strangers.setdefault(charge.reference, charge)
            outcomes.append(Settled(charge.reference, UNKNOWN if paid else "unknown reference"))
            continue
        mismatch = check_amount(payment.amount, payment.currency, charge, settings.domain) if paid else None
        earlier = changes.get(charge.reference)
        status = payment.status if earlier is None else earlier.transition.status
        transition = decide(status, charge, mismatch)
        if saves_card(payment.payer_id, transition.status if transition else status, charge, mismatch):
            paid_cards.append(PaidCard(payment.payer_id, payment.email, payment.created_at, charge.authorization))
        if transition is None:
            outcomes.append(Settled(charge.reference, f"nothing new: {status}"))
            continue
        changes[charge.reference] = Change(payment.id, transition, charge)
        event = _event(payment, transition, charge)
        if event is not None:
            events[charge.reference] = (
                event  # of several charges of one payment in a batch, the last event is published
            )
        reason = transition.held_reason
        if charge.paid:
            account = Account.HELD if reason else Account.SALES
            moved += movements.received(payment.id, charge, settings.domain, out_of=account)
        if reason == HeldReason.REVERSED:
            returned.append(charge.reference)
        elif reason is not None:
            _log_held(payment, charge, reason)
        settled_total.labels(transition.status, reason or "").inc()
        with continue_trace(payment.traceparent):
            log.info(
                "payment settled",
                reference=charge.reference,
                order_id=str(payment.order_id),
                status=transition.status,
                reason=reason,
            )
        outcomes.append(Settled(charge.reference, f"{transition.status}: {reason}" if reason else transition.status))
    await _write(session, changes.values())
    await requests.schedule_sync(session, returned)
    moved += await _keep_strangers(session, strangers)
    await journal.record(session, moved)
    await saved_cards.save(session, paid_cards)
    await outbox.add(session, OutboxRow, *events.values())
    return outcomes


def _log_held(payment: LockedPayment, charge: Charge, reason: HeldReason) -> None:
    with continue_trace(payment.traceparent):
        log.error(
            "payment held",
            reference=payment.reference,
            order_id=str(payment.order_id),
            reason=reason,
            paid_amount=charge.amount,
            currency=charge.currency,
        )


def _event(payment: LockedPayment, transition: Transition, charge: Charge) -> Event | None:
    """Return the event of a transition. A reversed charge has none: there is nothing to deliver."""
    if transition.status == PaymentStatus.FAILED:
        return announcements.failed(payment, charge)
    if transition.held_reason == HeldReason.REVERSED:
        return None
    if transition.held_reason is not None:
        return announcements.held(payment, charge, transition.held_reason)
    return announcements.succeeded(payment, paid_amount=charge.amount, channel=charge.channel, paid_at=charge.paid_at)


PAYMENTS = table_of(Payment)
LOCK = (
    select(*(PAYMENTS.c[name] for name in LockedPayment._fields))
    .where(PAYMENTS.c.reference == any_(bindparam("references", type_=ARRAY(Text))))
    .order_by(PAYMENTS.c.id)
    .with_for_update()
)
CHANGED = (
    "status",
    "held_reason",
    "paystack_id",
    "paid_amount",
    "paid_currency",
    "fees",
    "domain",
    "channel",
    "gateway_response",
    "paid_at",
)
_told = array_parameters(id=BigInteger, **{name: PAYMENTS.c[name].type for name in CHANGED})
WRITE = (
    update(PAYMENTS)
    .where(PAYMENTS.c.id == _told.c.id)
    .values({**{name: _told.c[name] for name in CHANGED}, "updated_at": func.now()})
)


async def _lock(session: AsyncSession, references: Iterable[str]) -> dict[str, LockedPayment]:
    rows = await session.execute(LOCK, {"references": list(references)})
    return {payment.reference: payment for payment in (LockedPayment(*row) for row in rows)}


def _reported(charge: Charge) -> dict[str, object]:
    return {
        "paystack_id": charge.id,
        "paid_amount": charge.amount if charge.paid else None,
        "paid_currency": charge.currency,
        "fees": charge.fees,
        "domain": charge.domain,
        "channel": charge.channel,
        "gateway_response": charge.gateway_response,
        "paid_at": charge.paid_at,
    }


async def _write(session: AsyncSession, changes: Collection[Change]) -> None:
    if changes:
        rows = [change.values() for change in changes]
        await session.execute(WRITE, array_values(**{name: [row[name] for row in rows] for name in ("id", *CHANGED)}))


async def _keep_strangers(session: AsyncSession, charges: Mapping[str, Charge]) -> list[Movement]:
    rows = [
        {
            "reference": charge.reference,
            "amount": 0,
            "currency": charge.currency,
            "status": PaymentStatus.HELD,
            "held_reason": HeldReason.UNKNOWN_REFERENCE,
            "verify_next_attempt_at": func.now(),
            **_reported(charge),
        }
        for charge in charges.values()
    ]
    if not rows:
        return []
    new = insert(Payment).values(rows).on_conflict_do_nothing(index_elements=["reference"])
    moved: list[Movement] = []
    for payment_id, reference in await session.execute(new.returning(Payment.id, Payment.reference)):
        log.error("money came under a reference that is not ours", reference=reference)
        settled_total.labels(PaymentStatus.HELD, HeldReason.UNKNOWN_REFERENCE).inc()
        moved += movements.received(payment_id, charges[reference], settings.domain, out_of=Account.HELD)
    return moved
