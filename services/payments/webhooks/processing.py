"""Process stored webhook events: settle charges, record disputes and rejected transfers, and schedule refund syncs and verifications.

`handle` is the handler of the inbox table `webhook_events` (kit/messaging/processor.py).
"""

from collections.abc import Collection, Sequence

import structlog
from prometheus_client import Counter
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from kit.db.after_commit import after_commit
from kit.messaging.inbox import Entry
from kit.messaging.processor import BatchResult
from kit.observability.tracing import trace_id_of
from services.payments import outcomes
from services.payments.db import Topic
from services.payments.disputes import records as disputes
from services.payments.models import UNPAID, Payment
from services.payments.paystack import event_types
from services.payments.rejected_transfers import record as rejected_transfers
from services.payments.rejected_transfers.record import ReportedRejection
from services.payments.settlement.payments import lock_payments
from services.payments.settlement.settle import settle
from services.payments.statuses import PaymentStatus
from services.payments.unrelated_charges.record import find_unrelated
from services.payments.webhooks.parsing import ParsedEvent, parse_event

webhook_events_processed_total = Counter(
    "webhook_events_processed_total", "Processed webhook events, by event type and handling", ["event", "handling"]
)
log = structlog.get_logger("webhooks")


async def handle(session: AsyncSession, entries: Sequence[Entry]) -> BatchResult:
    """Process a batch of webhook events in this transaction. Events that cannot be parsed fail; an operator decides about them."""
    events = [parse_event(entry.id, entry.body) for entry in entries]
    # Registered first, so that its log lines come before those about the changes. The outcomes, which the lines contain, are set below.
    after_commit(session, _log_and_count, list(zip(entries, events, strict=True)))
    await _lock_payments(session, events)
    await _settle_charges(session, events)
    await _schedule_verifications(session, events)
    await _record_disputes(session, events)
    await rejected_transfers.record(session, _reported_rejections(entries, events))
    for event in events:
        if event.outcome is None and event.postponed is None:
            event.outcome = _outcome(event)
    return _result(events)


def _log_and_count(received: Sequence[tuple[Entry, ParsedEvent]]) -> None:
    """Count each processed event. Log one line for each processed or failed event, with the trace of its payment. It is the first log line
    about the event, because the web process logs nothing about the contents of an event.
    """
    for entry, event in received:
        if event.postponed is None:
            if event.failure is None:
                _count(event)
            log.info(
                "webhook event processed" if event.failure is None else "webhook event failed",
                event_type=event.type_name,
                order_id=event.order_id,
                reference=event.reference,
                outcome=event.outcome,
                received_at=entry.received_at.isoformat(timespec="milliseconds"),
                trace_id=trace_id_of(event.traceparent or entry.traceparent),
            )


def _count(event: ParsedEvent) -> None:
    if event.type_name is not None:
        # Unknown names share one label value, so that the number of label values is limited.
        name = event.type_name if event.type_name in event_types.EVENT_TYPES else "other"
        handling = event_types.event_type_of(event.type_name).handling
        webhook_events_processed_total.labels(name, handling).inc()


async def _lock_payments(session: AsyncSession, events: Sequence[ParsedEvent]) -> None:
    """Lock all payments of the batch in the order of their ids, if it has an unreadable charge or a dispute.

    Settling, the first step, locks its payments in one statement. Unreadable charges and disputes lock more payments in later steps, so two
    batches could wait for each other if their payments were not locked here first.
    """
    references = {event.reference for event in events if event.reference is not None}
    references |= {event.dispute.reference for event in events if event.dispute is not None and event.dispute.reference}
    if any(event.dispute is not None or event.charge_error for event in events):
        await lock_payments(session, references)


async def _settle_charges(session: AsyncSession, events: Sequence[ParsedEvent]) -> None:
    """Settle the charges, and schedule the refund syncs under the same locks.

    A successful charge with an unknown reference is recorded as a payment. Disputes about this reference had no payment until now: a poll
    of them is scheduled.
    """
    charged = [(event, event.charge) for event in events if event.charge is not None]
    refunded = [event.reference for event in events if event.is_refund and event.reference]
    settlement = await settle(session, [charge for _, charge in charged], sync_refunds_of=refunded)
    for (event, _), result in zip(charged, settlement.results, strict=True):
        event.outcome, event.failure = result.outcome, result.conflict
        if result.payment is not None:
            event.order_id = str(result.payment.order_id) if result.payment.order_id else None
            event.traceparent = result.payment.traceparent
    unrelated = await find_unrelated(session, set(refunded) - settlement.scheduled_syncs)
    for event in events:
        if event.is_refund and event.reference is None:
            event.failure = event.failure or "the refund event contains no reference of a payment"
        elif event.is_refund and event.reference is not None and event.reference not in settlement.scheduled_syncs:
            if event.reference in unrelated:
                event.outcome = outcomes.UNRELATED_REFERENCE
            else:
                # The refund event may have overtaken the event of the charge.
                event.postponed = f"there is no payment {event.reference}"
    unknown = [result.reference for result in settlement.results if result.outcome == outcomes.HELD_UNKNOWN_REFERENCE]
    await disputes.schedule_polls_by_reference(session, unknown)


async def _schedule_verifications(session: AsyncSession, events: Sequence[ParsedEvent]) -> None:
    """Schedule a verification of the payment of each charge that could not be parsed.

    If there is no such payment, the event fails, unless its reference is certainly not ours.
    """
    invalid = [(event, event.reference) for event in events if event.charge_error and event.reference]
    references = {reference for _, reference in invalid}
    known = await _verify_soon(session, references)
    unrelated = await find_unrelated(session, references - known)
    for event, reference in invalid:
        if reference in unrelated:
            event.outcome = outcomes.UNRELATED_REFERENCE
        elif reference not in known:
            event.failure = f"{event.charge_error}, and there is no payment with this reference to verify"


async def _verify_soon(session: AsyncSession, references: Collection[str]) -> set[str]:
    """Make unpaid payments pending and due for verification, abandoned ones too. Return the references of existing payments."""
    if not references:
        return set()
    # Locked in the same order as in settlement.
    known = select(Payment.id, Payment.reference, Payment.status).where(Payment.reference.in_(references))
    payments = (await session.execute(known.order_by(Payment.id).with_for_update())).all()
    unpaid = [payment.id for payment in payments if payment.status in UNPAID]
    due = update(Payment).where(Payment.id.in_(unpaid))
    await session.execute(due.values(status=PaymentStatus.PENDING, verify_next_attempt_at=func.now()))
    return {payment.reference for payment in payments}


async def _record_disputes(session: AsyncSession, events: Sequence[ParsedEvent]) -> None:
    disputed = [(event, event.dispute) for event in events if event.dispute is not None]
    results = await disputes.record(session, [dispute for _, dispute in disputed])
    for (event, _), outcome in zip(disputed, results, strict=True):
        event.outcome = outcome


def _reported_rejections(entries: Sequence[Entry], events: Sequence[ParsedEvent]) -> list[ReportedRejection]:
    return [
        ReportedRejection(event.identity, entry.received_at, event.transfer)
        for entry, event in zip(entries, events, strict=True)
        if event.transfer is not None and event.identity is not None
    ]


def _outcome(event: ParsedEvent) -> str:
    """Return the outcome of an event without a charge or a dispute."""
    if event.failure is not None or event.type_name is None:
        return outcomes.NOT_PROCESSED
    if event.charge_error is not None:
        return outcomes.VERIFICATION_SCHEDULED
    if event.is_refund:
        return outcomes.REFUND_SYNC_SCHEDULED
    if event.transfer is not None:
        return outcomes.TRANSFER_RECORDED
    return outcomes.without_effect(event_types.event_type_of(event.type_name))


def _result(events: Sequence[ParsedEvent]) -> BatchResult:
    columns = {
        "event": {event.entry_id: event.type_name for event in events},
        "reference": {event.entry_id: event.reference for event in events},
        "identity": {event.entry_id: event.identity for event in events},
        "outcome": {event.entry_id: event.outcome for event in events},
    }
    failed = {event.entry_id: event.failure for event in events if event.failure is not None}
    postponed = {event.entry_id: event.postponed for event in events if event.postponed is not None}
    has_scheduled_work = any(event.dispute is not None or (event.is_refund and event.reference) for event in events)
    topics = {Topic.REFUNDS, Topic.DISPUTES} if has_scheduled_work else set[Topic]()
    if any(event.transfer is not None for event in events):
        topics.add(Topic.TRANSFERS)
    return BatchResult(failed, postponed, columns, frozenset(topics))
