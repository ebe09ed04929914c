"""Stored notices and what they bring about: the inbox handler behind the webhook's door."""

from collections.abc import Collection, Sequence

import structlog
from prometheus_client import Counter
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.events import HeldReason
from kit.messaging.inbox import Entry
from kit.messaging.processor import BatchResult
from services.payments.db import Topic
from services.payments.disputes import records as disputes
from services.payments.models import UNPAID, Payment, PaymentStatus
from services.payments.paystack import event_types
from services.payments.paystack.charge import Charge, parse_charge
from services.payments.paystack.disputes import PaystackDispute, parse_dispute
from services.payments.paystack.parsing import Unreadable, parse_integer, parse_text
from services.payments.settlement.settle import settle
from services.payments.webhooks.parsing import parse_body

webhook_events_processed_total = Counter(
    "webhook_events_processed_total", "Notices that were given their effect", ["event", "handling"]
)
log = structlog.get_logger("notices")
STRANGE = f"{PaymentStatus.HELD}: {HeldReason.UNKNOWN_REFERENCE}"
TOLD = ("event", "reference", "identity", "outcome")
"""What is written down with a notice once it was read."""


async def handle(session: AsyncSession, entries: Sequence[Entry]) -> BatchResult:
    """Settle a batch of notices in one transaction. Those that cannot be read wait for a person, with the reason."""
    failed: dict[int, str] = {}
    outcomes: dict[int, dict[str, str | None]] = {}
    charges: list[tuple[int, Charge]] = []
    nudges: dict[int, tuple[str, str]] = {}
    disputed: list[tuple[int, PaystackDispute]] = []
    for entry in entries:
        outcome = outcomes[entry.id] = dict.fromkeys(TOLD)
        try:
            parsed = parse_body(entry.body)
            event, data = parsed.event, parsed.data
            outcome["event"] = event
            outcome["reference"] = parsed.reference
            outcome["identity"] = event_types.identity(event, data, entry.body)
            _count(event)
            if event.startswith("charge.dispute."):
                disputed.append((entry.id, parse_dispute(data)))
                continue
            if event != "charge.success":
                outcome["outcome"] = "looked into" if event.startswith("refund.") else _kept(event, data)
                continue
            try:
                charges.append((entry.id, parse_charge(data)))
            except Unreadable as error:
                # Its reference is readable, the rest is not: ask Paystack what it knows of it.
                if outcome["reference"] is None:
                    raise
                nudges[entry.id] = outcome["reference"], str(error)
                outcome["outcome"] = "verify"
        except Unreadable as error:
            failed[entry.id] = str(error)
            outcome["outcome"] = "unreadable"
    refunded = [o["reference"] for o in outcomes.values() if o["outcome"] == "looked into" and o["reference"]]
    settled = await settle(session, [charge for _, charge in charges], refunded=refunded)
    for (entry_id, _), result in zip(charges, settled, strict=True):
        outcomes[entry_id]["outcome"] = result.outcome
    await disputes.schedule_polls_of(session, [result.reference for result in settled if result.outcome == STRANGE])
    ours = await _nudge(session, {reference for reference, _ in nudges.values()})
    for entry_id, (reference, reason) in nudges.items():
        if reference not in ours:
            failed[entry_id] = f"{reason}, and the reference is not ours to ask about"
            outcomes[entry_id]["outcome"] = "unreadable"
    heard = await disputes.record(session, [told for _, told in disputed])
    for (entry_id, _), become in zip(disputed, heard, strict=True):
        outcomes[entry_id]["outcome"] = become
    learned = {name: {entry.id: outcomes[entry.id][name] for entry in entries} for name in TOLD}
    wake = frozenset({Topic.REFUNDS, Topic.DISPUTES}) if refunded or disputed else frozenset()
    return BatchResult(failed, learned, wake)


def _kept(event: str, data: object) -> str:
    """Why nothing is done about it. A transfer that Paystack rejected is told to whoever helps the payer, and pays for nothing."""
    kind = event_types.event_type_of(event)
    if event != "bank.transfer.rejected":
        return f"{kind.handling}: {kind.effect}"
    transfer = data.get("bank_transfer") if isinstance(data, dict) else None
    told = transfer if isinstance(transfer, dict) else {}
    reason, amount = parse_text(told.get("message_type"), 50), parse_integer(told.get("amount"))
    log.warning(
        "Paystack rejected a bank transfer",
        transaction=parse_text(told.get("transaction_id"), 50),
        reason=reason,
        amount=amount,
    )
    return f"{kind.handling}: {kind.effect}; {reason or 'no reason'}, {'?' if amount is None else amount} subunits"


def _count(event: str) -> None:
    # Of what is not known here there is no end.
    known = event if event in event_types.EVENT_TYPES else "other"
    webhook_events_processed_total.labels(known, event_types.event_type_of(event).handling).inc()


async def _nudge(session: AsyncSession, references: Collection[str]) -> set[str]:
    """Have the sweep ask about these at once, those given up included. Answers the references that are ours."""
    if not references:
        return set()
    # Locked in the order in which settlement locks.
    known = select(Payment.id, Payment.reference, Payment.status).where(Payment.reference.in_(references))
    rows = (await session.execute(known.order_by(Payment.id).with_for_update())).all()
    unpaid = update(Payment).where(Payment.id.in_([row.id for row in rows if row.status in UNPAID]))
    await session.execute(unpaid.values(status=PaymentStatus.PENDING, verify_next_attempt_at=func.now()))
    return {row.reference for row in rows}
