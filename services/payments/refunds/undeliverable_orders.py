"""Refund payments of orders that cannot be delivered: the whole payment, once, automatically."""

from collections.abc import Mapping, Sequence
from uuid import UUID

import structlog
from pydantic import TypeAdapter
from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.events import OrderUndeliverable
from contracts.money import format_money
from contracts.reasons import UndeliverableReason
from kit.db.after_commit import after_commit
from kit.observability.tracing import continue_trace
from services.payments.errors import NothingToRefund
from services.payments.models import HAS_SUCCEEDED, Payment
from services.payments.refunds import requests
from services.payments.refunds.models import Refund

EVENT_ADAPTER: TypeAdapter[OrderUndeliverable] = TypeAdapter(OrderUndeliverable)
REASONS = {
    UndeliverableReason.EXPIRED_AND_SOLD_OUT: "Your payment arrived after your order had expired, and the products are sold out",
    UndeliverableReason.CANCELLED: "Your order was cancelled before your payment arrived",
    UndeliverableReason.ALREADY_PAID: "Your order was already paid",
    UndeliverableReason.UNKNOWN_ORDER: "There is no order for this payment",
}
"""The reason of the refund for each reason of the event. Paystack sends it to the payer."""

REQUESTED_BY = "catalog"
log = structlog.get_logger("refunds")


async def handle(session: AsyncSession, events: Sequence[OrderUndeliverable]) -> Mapping[UUID, str]:
    """Request a refund for the payment of each event. Events that contradict their payment change nothing: an operator must investigate.

    A payment gets only one automatic refund. If that refund failed at Paystack, an operator decides, because the operator may have paid the
    money back in another way. A payment that is already refunded gets no refund.
    """
    references = {event.data.reference for event in events}
    # Locked before they are compared, and in the order of their ids, as in settlement.
    found = await session.execute(
        select(Payment).where(Payment.reference.in_(references)).order_by(Payment.id).with_for_update()
    )
    payments = {payment.reference: payment for payment in found.scalars()}
    query = select(Payment.reference).join(Refund, Refund.payment_id == Payment.id)
    query = query.where(Payment.reference.in_(references), Refund.requested_by == REQUESTED_BY)
    refunded = set((await session.execute(query)).scalars())
    contradictions = {}
    for event in events:
        with continue_trace(event.traceparent):
            if contradiction := await _find_contradiction(session, event, payments.get(event.data.reference)):
                contradictions[event.id] = contradiction
            else:
                await _refund(session, event, already_requested=event.data.reference in refunded)
    return contradictions


async def _find_contradiction(session: AsyncSession, event: OrderUndeliverable, payment: Payment | None) -> str | None:
    """Compare the facts of an event with our payment. Return what differs.

    Catalog publishes the event only after we have published that the payment succeeded, with the values that catalog repeats here.
    """
    data = event.data
    if payment is None:
        return f"there is no payment {data.reference}"
    if payment.order_id != data.order_id:
        return f"payment {data.reference} is for order {payment.order_id}; the event names order {data.order_id}"
    if (payment.amount, payment.currency) != (data.amount, data.currency):
        stated, known = format_money(data.amount, data.currency), format_money(payment.amount, payment.currency)
        return f"the event states {stated}; the amount of payment {data.reference} is {known}"
    if not payment.has_succeeded:
        return f"payment {data.reference} is {payment.status}: no payment.succeeded was published for it"
    if data.reason == UndeliverableReason.ALREADY_PAID:
        others = exists().where(Payment.order_id == data.order_id, Payment.id != payment.id, HAS_SUCCEEDED)
        if not (await session.execute(select(others))).scalar_one():
            return f"payment {data.reference} is the only one that paid for order {data.order_id}"
    return None


async def _refund(session: AsyncSession, event: OrderUndeliverable, *, already_requested: bool) -> None:
    fields = {"reference": event.data.reference, "order_id": str(event.data.order_id)}
    if already_requested:
        after_commit(session, log.warning, "refund of undeliverable order already requested", **fields)
        return
    reason = REASONS[event.data.reason]
    try:
        await requests.request_refund(
            session, event.data.reference, amount=None, reason=reason, requested_by=REQUESTED_BY
        )
    except NothingToRefund as problem:
        message = "refund of undeliverable order not requested"
        after_commit(session, log.warning, message, **fields, reason=str(problem))
    else:
        after_commit(session, log.warning, "refund of undeliverable order requested", **fields, reason=reason)
