"""What the command `payments show` does: collect everything that is stored about a payment."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from pydantic import BaseModel
from sqlalchemy import LargeBinary, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.money import format_money
from kit.audit.entries import AuditFilter, list_entries
from kit.audit.schemas import AuditEntryView
from kit.schemas import ResponseModel
from services.payments.cli.actions.command import Context, run
from services.payments.cli.actions.holds import PaymentOnTerminal, held_views
from services.payments.cli.actions.output import print_fields, print_json, print_rows
from services.payments.db import sessions
from services.payments.disputes.responses import AWAITING_RESPONSE
from services.payments.disputes.schemas import DisputeView
from services.payments.errors import PaymentNotFound
from services.payments.holds.models import Decision, DecisionKind
from services.payments.ledger import queries as ledger
from services.payments.ledger.models import Account, MovementKind
from services.payments.models import AuditLogEntry, Dispute, OutboxRow, Payment
from services.payments.refunds.lists import list_refunds
from services.payments.refunds.schemas import RefundView
from services.payments.rejected_transfers.record import transfers_of
from services.payments.rejected_transfers.schemas import RejectedTransferView
from services.payments.webhooks import queries as webhooks
from services.payments.webhooks.schemas import WebhookEventView

MAX_ROWS = 200
"""The maximum number of webhook events, ledger entries, acts and unpublished events that are shown, the newest ones."""


class DecisionView(ResponseModel):
    decision: DecisionKind
    reason: str
    decided_by: str
    decided_at: datetime


class LedgerEntryView(ResponseModel):
    recorded_at: datetime
    movement: str
    kind: MovementKind
    account: Account
    currency: str
    amount: int


class OutboxEventView(ResponseModel):
    type: str
    created_at: datetime
    attempts: int
    error: str | None


class History(BaseModel):
    """All that is stored about a payment. Amounts are in subunits. `outbox`: events that are not published yet."""

    payment: PaymentOnTerminal
    webhook_events: list[WebhookEventView]
    ledger: list[LedgerEntryView]
    decisions: list[DecisionView]
    refunds: list[RefundView]
    disputes: list[DisputeView]
    rejected_transfers: list[RejectedTransferView]
    audit_log: list[AuditEntryView]
    outbox: list[OutboxEventView]


class Step(NamedTuple):
    """One line of the history."""

    at: datetime
    what: str
    details: str


def show_payment(reference: str, *, as_json: bool) -> None:
    """Print a payment and its history, oldest first."""

    async def work(context: Context) -> History:
        async with sessions() as session:
            return await _collect(session, reference)

    history = run(work)
    if as_json:
        print_json(history.model_dump(mode="json"))
        return
    payment = history.payment
    print_fields(
        {
            "reference": payment.reference,
            "status": f"{payment.status}: {payment.held_reason}" if payment.held_reason else payment.status,
            "order id": payment.order_id,
            "order amount": payment.order_amount,
            "paid": payment.paid,
            "difference": payment.difference,
            "possible decisions": payment.decisions,
            "waiting for": payment.waiting_for,
            "fees": None
            if payment.fees is None
            else format_money(payment.fees, payment.paid_currency or payment.currency),
            "channel": payment.channel,
            "message": payment.gateway_response,
        }
    )
    print_rows(("at", "what", "details"), sorted(_steps(history)))


async def _collect(session: AsyncSession, reference: str) -> History:
    found = await session.execute(select(Payment).where(Payment.reference == reference))
    payment = found.scalar_one_or_none()
    if payment is None:
        raise PaymentNotFound
    events = await webhooks.list_page(session, webhooks.Filter(reference=reference), MAX_ROWS)
    entries, _ = await ledger.page(session, ledger.Filter(reference=reference), MAX_ROWS, None)
    decisions = select(Decision).where(Decision.payment_id == payment.id).order_by(Decision.id)
    disputes = select(Dispute).where(Dispute.payment_id == payment.id).order_by(Dispute.opened_at)
    transfers = await transfers_of(session, payment.id)
    acts = await list_entries(session, AuditLogEntry, AuditFilter(subject=reference), MAX_ROWS)
    # An outbox row has no column for the reference; the outbox is nearly empty unless the broker is down.
    text = bindparam("reference", f'"{reference}"'.encode(), LargeBinary)
    about_payment = func.position(text.op("IN")(OutboxRow.body)) > 0
    unpublished = select(OutboxRow).where(about_payment).order_by(OutboxRow.id.desc()).limit(MAX_ROWS)
    (view,) = await held_views(session, [payment])
    return History(
        payment=view,
        webhook_events=[WebhookEventView.model_validate(event) for event in events],
        ledger=[LedgerEntryView.model_validate(entry) for entry in entries],
        decisions=[DecisionView.model_validate(each) for each in (await session.execute(decisions)).scalars()],
        refunds=[RefundView.model_validate(refund) for refund in await list_refunds(session, payment.id)],
        disputes=[DisputeView.model_validate(each) for each in (await session.execute(disputes)).scalars()],
        rejected_transfers=[RejectedTransferView.of(each, reference, payment.currency) for each in transfers],
        audit_log=[AuditEntryView.model_validate(entry) for entry in acts],
        outbox=[OutboxEventView.model_validate(row) for row in reversed((await session.scalars(unpublished)).all())],
    )


def _steps(history: History) -> Iterator[Step]:
    payment = history.payment
    yield Step(payment.created_at, "payment started", payment.order_amount)
    if payment.paid_at is not None:
        yield Step(payment.paid_at, "paid at Paystack", payment.paid)
    for event in history.webhook_events:
        details = f"{event.status}: {event.error or event.outcome}" if event.outcome or event.error else event.status
        yield Step(event.received_at, f"webhook event {event.id}", f"{event.event or 'not processed yet'}, {details}")
    for transfer in history.rejected_transfers:
        amount = "" if transfer.amount is None else f"{format_money(transfer.amount, payment.currency)}, "
        why = ": ".join(text for text in (transfer.reason, transfer.message) if text) or "no reason given"
        yield Step(transfer.rejected_at, "bank transfer rejected", f"{amount}{why}")
    yield from _movements(history.ledger)
    for decision in history.decisions:
        yield Step(decision.decided_at, f"hold: {decision.decision}", f"by {decision.decided_by}: {decision.reason}")
    for refund in history.refunds:
        details = f"{format_money(refund.amount, refund.currency)}, {refund.status}, by {refund.requested_by}"
        more = ": ".join(text for text in (refund.reason, refund.error) if text)
        yield Step(refund.created_at, "refund", f"{details}: {more}" if more else details)
    for dispute in history.disputes:
        amount = "" if dispute.amount is None else f"{format_money(dispute.amount, dispute.currency or '')}, "
        details = f"{dispute.status}, {dispute.resolution}" if dispute.resolution else dispute.status
        if dispute.status in AWAITING_RESPONSE:
            details = f"{dispute.status}, respond until {dispute.due_at:%Y-%m-%d %H:%M}"
        yield Step(dispute.opened_at, f"dispute {dispute.id}", f"{amount}{details}")
        if dispute.resolved_at is not None:
            yield Step(dispute.resolved_at, f"dispute {dispute.id}", "lost" if dispute.lost else "won")
    for entry in history.audit_log:
        details = f"by {entry.actor}: {entry.reason}" if entry.reason else f"by {entry.actor}"
        yield Step(entry.recorded_at, f"act {entry.act}", details)
    for row in history.outbox:
        tried = f", {row.attempts} attempts: {row.error}" if row.attempts else ""
        yield Step(row.created_at, f"event {row.type}", f"not published yet{tried}")


def _movements(entries: Sequence[LedgerEntryView]) -> Iterator[Step]:
    """Yield one step for each movement of money: the debited and the credited account."""
    movements: defaultdict[str, list[LedgerEntryView]] = defaultdict(list)
    for entry in entries:
        movements[entry.movement].append(entry)
    for movement in movements.values():
        first = movement[0]
        debited = ", ".join(entry.account for entry in movement if entry.amount > 0)
        credited = ", ".join(entry.account for entry in movement if entry.amount < 0)
        amount = sum(entry.amount for entry in movement if entry.amount > 0)
        details = f"{format_money(amount, first.currency)}: debit {debited}, credit {credited}"
        yield Step(first.recorded_at, f"ledger: {first.kind}", details)
