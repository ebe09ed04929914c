"""Apply charges to payments: status, ledger, saved cards and events in one database transaction. The rules are in rules.py."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog
from prometheus_client import Counter
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.events import Event
from contracts.money import format_money
from contracts.reasons import HeldReason
from kit.db.after_commit import after_commit
from kit.messaging import outbox
from kit.observability.tracing import trace_id_of
from services.payments import events as payment_events
from services.payments import outcomes
from services.payments.cards import saved_cards
from services.payments.cards.saved_cards import ChargedCard
from services.payments.ledger import journal, movements
from services.payments.ledger.models import Account
from services.payments.ledger.movements import Movement
from services.payments.models import OutboxRow
from services.payments.paystack.charge import Charge
from services.payments.refunds import requests
from services.payments.settings import settings
from services.payments.settlement.payments import (
    Change,
    LockedPayment,
    insert_unknown_payments,
    lock_payments,
    write_changes,
)
from services.payments.settlement.rules import (
    PaidCharge,
    Transition,
    find_conflict,
    find_mismatch,
    find_transition,
    saves_card,
)
from services.payments.statuses import PaymentStatus
from services.payments.unrelated_charges import record as unrelated_charges

settled_total = Counter(
    "payments_settled_total", "Payments settled, by new status and by reason if they are held", ["status", "reason"]
)
log = structlog.get_logger("settlement")


class RecordedConcurrently(Exception):
    """Another transaction has just recorded a payment with a reference that was unknown. The next attempt finds this payment."""


@dataclass(frozen=True, slots=True)
class Settled:
    """The result of one charge. `outcome` is a text of outcomes.py.

    `payment`: the payment before the change; None if the reference was unknown.
    `conflict`: why an operator has to look at the charge, or None. A webhook event with a conflict fails; for a verification it is only
    logged, because every successful charge also has a webhook event.
    """

    reference: str
    outcome: str
    conflict: str | None = None
    payment: LockedPayment | None = None


@dataclass(frozen=True, slots=True)
class Settlement:
    """The results of a batch of charges, in the order of the charges, and the references of the payments whose refunds will be synced."""

    results: list[Settled]
    scheduled_syncs: set[str]


@dataclass(slots=True)
class Batch:
    """The changes that the charges of one database transaction cause. Keys are references."""

    changes: dict[str, Change] = field(default_factory=dict)
    events: dict[str, Event] = field(default_factory=dict)
    unknown_charges: dict[str, Charge] = field(default_factory=dict)
    unrelated_charges: dict[str, Charge] = field(default_factory=dict)
    unrelated_references: set[str] = field(default_factory=set)
    movements: list[Movement] = field(default_factory=list)
    cards: list[ChargedCard] = field(default_factory=list)
    transitions: list[tuple[LockedPayment, Transition, Charge]] = field(default_factory=list)
    conflicts: list[tuple[LockedPayment | None, str, str]] = field(default_factory=list)
    sync_refunds_of: list[str] = field(default_factory=list)

    def add(self, charge: Charge, payment: LockedPayment | None) -> Settled:
        """Add a charge, and return its result. `payment` is None if the reference is unknown."""
        conflict = find_conflict(self._paid_charge(charge.reference, payment), charge)
        if conflict is not None:
            self.conflicts.append((payment, charge.reference, conflict))
            return Settled(charge.reference, outcomes.CONFLICT, conflict, payment)
        outcome = self._add_unknown(charge) if payment is None else self._add_known(charge, payment)
        return Settled(charge.reference, outcome, None, payment)

    def _paid_charge(self, reference: str, payment: LockedPayment | None) -> PaidCharge | None:
        """Return the charge that has paid the payment: in the database, or earlier in this batch."""
        earlier = self.unknown_charges.get(reference)
        if earlier is None and reference in self.changes and self.changes[reference].charge.paid:
            earlier = self.changes[reference].charge
        if earlier is not None:
            return PaidCharge(earlier.id, earlier.amount, earlier.currency)
        if payment is None or payment.paid_amount is None:
            return None
        return PaidCharge(payment.paystack_id, payment.paid_amount, payment.paid_currency)

    def _add_unknown(self, charge: Charge) -> str:
        if charge.reference in self.unrelated_references:
            if charge.status == "success":
                self.unrelated_charges.setdefault(charge.reference, charge)
            return outcomes.UNRELATED_REFERENCE
        if charge.status != "success":
            return outcomes.UNKNOWN_REFERENCE
        self.unknown_charges.setdefault(charge.reference, charge)
        return outcomes.HELD_UNKNOWN_REFERENCE

    def _add_known(self, charge: Charge, payment: LockedPayment) -> str:
        successful = charge.status == "success"
        mismatch = find_mismatch(payment.amount, payment.currency, charge, settings.mode) if successful else None
        earlier = self.changes.get(charge.reference)
        status = payment.status if earlier is None else earlier.transition.status
        transition = find_transition(status, charge, mismatch)
        # A program cannot charge the cards of its customers again, so they are not saved.
        owner = None if payment.started_by_program else payment.customer_id
        if saves_card(owner, transition.status if transition else status, charge, mismatch):
            self.cards.append(ChargedCard(owner, payment.email, payment.created_at, charge.authorization))
        if transition is None:
            return outcomes.unchanged(status)
        self._change(payment, transition, charge)
        return outcomes.settled(transition.status, transition.held_reason)

    def _change(self, payment: LockedPayment, transition: Transition, charge: Charge) -> None:
        self.changes[charge.reference] = Change(payment.id, transition, charge)
        event = _event(payment, transition, charge)
        if event is not None:
            # If the batch has several charges of one payment, only the event of the last one is published.
            self.events[charge.reference] = event
        if charge.paid:  # also if it was reversed
            account = Account.HELD if transition.held_reason else Account.SALES
            self.movements += movements.received(payment.id, charge, settings.mode, credited=account)
        if transition.held_reason == HeldReason.REVERSED:
            self.sync_refunds_of.append(charge.reference)
        self.transitions.append((payment, transition, charge))


async def settle(
    session: AsyncSession, charges: Sequence[Charge], *, sync_refunds_of: Sequence[str] = ()
) -> Settlement:
    """Apply charges to their payments in the transaction of `session`.

    `sync_refunds_of`: references of payments whose refunds changed at Paystack. A sync of their refunds is scheduled, and also a sync of
    the refunds of each payment that becomes held because its charge was reversed. Payments are locked in the order of their ids. If
    another database transaction has locked one, this call waits for it until the lock timeout.
    """
    references = {charge.reference for charge in charges} | set(sync_refunds_of)
    payments = await lock_payments(session, references) if references else {}
    batch = Batch(sync_refunds_of=list(sync_refunds_of))
    batch.unrelated_references = await unrelated_charges.find_unrelated(
        session, {charge.reference for charge in charges if charge.reference not in payments}
    )
    results = [batch.add(charge, payments.get(charge.reference)) for charge in charges]
    await write_changes(session, batch.changes.values())
    scheduled_syncs = await requests.schedule_sync(session, batch.sync_refunds_of)
    await _hold_unknown_charges(session, batch)
    await unrelated_charges.record(session, batch.unrelated_charges.values())
    await journal.record(session, batch.movements)
    await saved_cards.save(session, batch.cards)
    await outbox.add(session, OutboxRow, *batch.events.values())
    after_commit(session, _log_and_count, batch)
    return Settlement(results, scheduled_syncs)


async def _hold_unknown_charges(session: AsyncSession, batch: Batch) -> None:
    """Record successful charges with unknown references as held payments. An operator binds each of them to an order or refunds it.

    Raises RecordedConcurrently.
    """
    inserted = await insert_unknown_payments(session, batch.unknown_charges.values())
    if len(inserted) < len(batch.unknown_charges):
        raise RecordedConcurrently(set(batch.unknown_charges) - {reference for _, reference in inserted})
    for payment_id, reference in inserted:
        charge = batch.unknown_charges[reference]
        batch.movements += movements.received(payment_id, charge, settings.mode, credited=Account.HELD)


def _event(payment: LockedPayment, transition: Transition, charge: Charge) -> Event | None:
    """Return the event of a transition. A reversed charge has none: there is nothing to deliver."""
    if transition.status == PaymentStatus.FAILED:
        return payment_events.failed(payment, charge)
    if transition.held_reason == HeldReason.REVERSED:
        return None
    if transition.held_reason is not None:
        return payment_events.held(payment, charge, transition.held_reason)
    return payment_events.succeeded(payment, paid_amount=charge.amount, channel=charge.channel, paid_at=charge.paid_at)


def _log_and_count(batch: Batch) -> None:
    """Log the committed changes: one line for each settled payment, and an error for everything that an operator has to look at."""
    for payment, transition, charge in batch.transitions:
        reason = transition.held_reason
        settled_total.labels(transition.status, reason or "").inc()
        fields = _log_fields(payment)
        log.info("payment settled", **fields, status=transition.status, paid=_paid(charge), channel=charge.channel)
        if reason is not None and reason != HeldReason.REVERSED:
            log.error("payment held", **fields, reason=reason, paid=_paid(charge))
    for charge in batch.unknown_charges.values():
        settled_total.labels(PaymentStatus.HELD, HeldReason.UNKNOWN_REFERENCE).inc()
        fields = {"reference": charge.reference, "order_id": None}
        log.error("payment held", **fields, reason=HeldReason.UNKNOWN_REFERENCE, paid=_paid(charge))
    for known, reference, conflict in batch.conflicts:
        fields = {"reference": reference} if known is None else _log_fields(known)
        log.error("charge conflicts with its payment", **fields, reason=conflict)


def _paid(charge: Charge) -> str | None:
    return format_money(charge.amount, charge.currency) if charge.paid else None


def _log_fields(payment: LockedPayment) -> dict[str, str | None]:
    fields = {"reference": payment.reference, "order_id": str(payment.order_id) if payment.order_id else None}
    # A log line about a payment without a trace has the trace of the caller.
    return {**fields, "trace_id": trace_id_of(payment.traceparent)} if payment.traceparent else fields
