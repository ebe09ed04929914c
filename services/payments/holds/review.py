"""Held money waits for a person, who accepts it, binds it to an order, or gives it back (refunds.py); each with a recorded reason.

held (amount_differs, currency_differs, mode_differs) ── accept ──► succeeded, and the order is delivered
held (reversed), whose refund has failed              ── accept ──► the same
held (unknown_reference)                              ── bind ────► succeeded for that order
held (any)                                            ── refund ──► refunded; a part only: what is left is held still

Where a part went back before, it is partially_refunded in place of succeeded.
"""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.events import HeldReason
from kit.auth import Caller
from kit.messaging import outbox
from kit.observability.tracing import traceparent
from services.payments.catalog_client import Order
from services.payments.errors import NotHeld, OrderNotPayable, PaymentNotFound
from services.payments.events import succeeded
from services.payments.holds.models import Decision, DecisionKind
from services.payments.ledger import journal, movements
from services.payments.ledger.models import MovementKind
from services.payments.models import OutboxRow, Payment, PaymentStatus
from services.payments.refunds.models import RefundStatus
from services.payments.refunds.requests import list_refunds, refunded_or_pending
from services.payments.settings import settings

ACCEPTABLE = frozenset({HeldReason.AMOUNT_DIFFERS, HeldReason.CURRENCY_DIFFERS, HeldReason.MODE_DIFFERS})

MOVEMENTS = {DecisionKind.ACCEPT: MovementKind.ACCEPTED, DecisionKind.BIND: MovementKind.BOUND}


async def accept(session: AsyncSession, reference: str, caller: Caller, reason: str) -> Payment:
    """Deliver for what was paid, or is left of it. Raises PaymentNotFound, NotHeld."""
    payment = await _held(session, reference)
    if payment.held_reason == HeldReason.REVERSED and await _failed_to_go_back(session, payment):
        return await _decide(session, payment, DecisionKind.ACCEPT, caller, reason)
    if payment.held_reason not in ACCEPTABLE:
        instead = (
            ": bind it to its order, or give it back" if payment.held_reason == HeldReason.UNKNOWN_REFERENCE else ""
        )
        raise NotHeld(f"Money that is held for {payment.held_reason} cannot be accepted{instead}.")
    return await _decide(session, payment, DecisionKind.ACCEPT, caller, reason)


async def bind(session: AsyncSession, reference: str, caller: Caller, order: Order, reason: str) -> Payment:
    """Let what is left of it pay for this order. Raises PaymentNotFound, NotHeld, OrderNotPayable."""
    payment = await _held(session, reference)
    if payment.held_reason != HeldReason.UNKNOWN_REFERENCE:
        raise NotHeld(f"Money that is held for {payment.held_reason} belongs to an order already.")
    if payment.domain != settings.domain:
        raise NotHeld("The money is of the other mode: it pays for nothing here.")
    if order.status not in {"pending", "expired"}:
        raise OrderNotPayable(f"The order is {order.status}.")
    if (payment.refundable, payment.paid_currency) != (order.amount, order.currency):
        raise OrderNotPayable(
            f"The order costs {order.amount} {order.currency}, and {payment.refundable} {payment.paid_currency} is there for it."
        )
    payment.order_id, payment.amount, payment.currency = order.id, order.amount, order.currency
    payment.traceparent = traceparent()
    return await _decide(session, payment, DecisionKind.BIND, caller, reason)


async def _held(session: AsyncSession, reference: str) -> Payment:
    found = await session.execute(select(Payment).where(Payment.reference == reference).with_for_update())
    payment = found.scalar_one_or_none()
    if payment is None:
        raise PaymentNotFound
    if payment.status != PaymentStatus.HELD:
        raise NotHeld(f"The payment is {payment.status}.")
    if await refunded_or_pending(session, payment.id) > payment.refunded_amount:
        raise NotHeld("A refund of this payment is under way.")
    return payment


async def _failed_to_go_back(session: AsyncSession, payment: Payment) -> bool:
    """Whether the refund that was told of is known to have failed, so that the money is here after all."""
    refunds = [refund.status for refund in await list_refunds(session, payment.id)]
    return bool(refunds) and set(refunds) == {RefundStatus.FAILED}


async def _decide(
    session: AsyncSession, payment: Payment, decision: DecisionKind, caller: Caller, reason: str
) -> Payment:
    decided = Decision(
        payment_id=payment.id,
        decision=decision,
        held_reason=payment.held_reason,
        reason=reason,
        decided_by=caller.id,
    )
    session.add(decided)
    payment.status = PaymentStatus.PARTIALLY_REFUNDED if payment.refunded_amount else PaymentStatus.SUCCEEDED
    payment.held_reason = None
    await session.flush()
    await journal.record(session, [movements.decided(payment, MOVEMENTS[decision])])
    event = succeeded(payment, paid_amount=payment.received, channel=payment.channel, paid_at=payment.paid_at)
    await outbox.add(session, OutboxRow, event)
    return payment
