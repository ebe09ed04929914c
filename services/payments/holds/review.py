"""Manual review of held payments: an operator accepts a payment, binds it to an order, or refunds it (refunds/requests.py).

    held (amount_differs, currency_differs, mode_differs) ── accept ──► succeeded, the order is delivered; with `refund_difference`,
                                                                        what was paid too much is refunded
    held (reversed), all refunds failed                   ── accept ──► succeeded, the order is delivered
    held (unknown_reference)                              ── bind ────► succeeded, the chosen order is delivered
    held (any reason)                                     ── refund ──► refunded; after a partial refund the remaining amount is still held

If a part was refunded before the decision, the payment becomes partially_refunded instead of succeeded. Each decision has a reason, which
is stored.
"""

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.money import format_money
from contracts.reasons import HeldReason
from kit.audit import entries as audit
from kit.audit.actor import Actor
from kit.db.after_commit import after_commit
from kit.messaging import outbox
from kit.observability.tracing import continue_trace, traceparent
from services.payments.catalog_client import Order
from services.payments.errors import NotHeld, NothingOverpaid, OrderNotBindable, PaymentNotFound
from services.payments.events import succeeded
from services.payments.holds.models import Decision, DecisionKind
from services.payments.holds.possible_decisions import difference, is_acceptable
from services.payments.ledger import journal, movements
from services.payments.ledger.models import MovementKind
from services.payments.models import AuditLogEntry, OutboxRow, Payment
from services.payments.refunds.lists import list_refunds
from services.payments.refunds.requests import refunded_or_unfinished_amount, request_refund_as_operator
from services.payments.settings import settings
from services.payments.statuses import PaymentStatus, RefundStatus

MOVEMENT_KINDS = {DecisionKind.ACCEPT: MovementKind.ACCEPTED, DecisionKind.BIND: MovementKind.BOUND}
ACTS = {DecisionKind.ACCEPT: "payment.accepted", DecisionKind.BIND: "payment.bound"}
log = structlog.get_logger("holds")


async def accept(
    session: AsyncSession, reference: str, actor: Actor, reason: str, *, refund_difference: bool = False
) -> Payment:
    """Accept a held payment although it differs from the order, so that the order is delivered.

    `refund_difference`: request a refund of what was paid too much, in the same transaction. Raises PaymentNotFound, NotHeld,
    NothingOverpaid, RefundNotWhole.
    """
    payment = await _lock_held_payment(session, reference)
    reversed_ = payment.held_reason == HeldReason.REVERSED
    refund_failed = reversed_ and await _all_refunds_failed(session, payment)
    if not is_acceptable(payment, all_refunds_failed=refund_failed):
        instead = (
            "bind it to its order, or refund it" if payment.held_reason == HeldReason.UNKNOWN_REFERENCE else "refund it"
        )
        raise NotHeld(f"A payment that is held because of {payment.held_reason} cannot be accepted: {instead}.")
    overpaid = difference(payment)
    if refund_difference and (overpaid is None or overpaid <= 0):
        raise NothingOverpaid
    await _decide(session, payment, DecisionKind.ACCEPT, actor, reason)
    if refund_difference:
        await request_refund_as_operator(session, actor, reference, amount=overpaid, reason=reason)
    return payment


async def bind(session: AsyncSession, reference: str, actor: Actor, order: Order, reason: str) -> Payment:
    """Bind a payment to an order that costs the remaining amount of the payment, if it is held because its reference was unknown.

    Raises PaymentNotFound, NotHeld, OrderNotBindable.
    """
    payment = await _lock_held_payment(session, reference)
    if payment.held_reason != HeldReason.UNKNOWN_REFERENCE:
        raise NotHeld(
            f"A payment that is held because of {payment.held_reason} already belongs to an order: accept or refund it."
        )
    if payment.domain != settings.mode:
        raise NotHeld(f"The payment was made in {payment.domain} mode and cannot pay for an order here: refund it.")
    if order.status not in {"pending", "expired"}:
        raise OrderNotBindable(f"The order is {order.status}: choose an order that is pending or expired.")
    if (payment.refundable, payment.paid_currency) != (order.amount, order.currency):
        raise OrderNotBindable(
            f"The order costs {format_money(order.amount, order.currency)}, but the payment has "
            f"{format_money(payment.refundable, payment.paid_currency or payment.currency)}: "
            "choose an order with exactly this amount."
        )
    payment.order_id, payment.amount, payment.currency = order.id, order.amount, order.currency
    payment.traceparent = traceparent()
    return await _decide(session, payment, DecisionKind.BIND, actor, reason)


async def _lock_held_payment(session: AsyncSession, reference: str) -> Payment:
    found = await session.execute(select(Payment).where(Payment.reference == reference).with_for_update())
    payment = found.scalar_one_or_none()
    if payment is None:
        raise PaymentNotFound
    if payment.status != PaymentStatus.HELD:
        raise NotHeld(f"The payment is {payment.status}, not held: there is nothing to decide.")
    if await refunded_or_unfinished_amount(session, payment.id) > payment.refunded_amount:
        raise NotHeld("A refund of this payment is not finished: decide after it has been processed or has failed.")
    return payment


async def _all_refunds_failed(session: AsyncSession, payment: Payment) -> bool:
    """Return True if Paystack reported refunds of a reversed payment and all failed: then Paystack still has the money of the payment."""
    statuses = {refund.status for refund in await list_refunds(session, payment.id)}
    return statuses == {RefundStatus.FAILED}


async def _decide(session: AsyncSession, payment: Payment, kind: DecisionKind, actor: Actor, reason: str) -> Payment:
    """Record the decision, also in the audit log, move the money in the ledger to sales, and publish payment.succeeded."""
    decision = Decision(
        payment_id=payment.id, decision=kind, held_reason=payment.held_reason, reason=reason, decided_by=actor.id
    )
    session.add(decision)
    before = {"status": payment.status, "held_reason": payment.held_reason}
    payment.status = PaymentStatus.PARTIALLY_REFUNDED if payment.refunded_amount else PaymentStatus.SUCCEEDED
    payment.held_reason = None
    await session.flush()
    await journal.record(session, [movements.decided(payment, MOVEMENT_KINDS[kind])])
    await audit.record(
        session,
        AuditLogEntry,
        actor,
        ACTS[kind],
        payment.reference,
        before=before,
        after={"status": payment.status, "order_id": str(payment.order_id)},
        reason=reason,
    )
    event = succeeded(payment, paid_amount=payment.received, channel=payment.channel, paid_at=payment.paid_at)
    await outbox.add(session, OutboxRow, event)
    with continue_trace(payment.traceparent):
        after_commit(
            session,
            log.info,
            "payment accepted" if kind == DecisionKind.ACCEPT else "payment bound",
            reference=payment.reference,
            order_id=str(payment.order_id),
            status=payment.status,
            paid=format_money(payment.received, payment.paid_currency or payment.currency),
            by=actor.id,
        )
    return payment
