"""Fulfilment: a paid order is delivered, a batch of payments' events in a handful of statements.

What shall be done is decided in decisions.py; here is what that needs to know, and how it is written down.
"""

from collections.abc import Sequence
from typing import cast
from uuid import UUID

import structlog
from prometheus_client import Counter
from sqlalchemy import ARRAY, Text, Uuid, any_, bindparam, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.events import Event, PaymentDisputeResolved, PaymentRefunded, PaymentSucceeded
from kit.db.bulk import table_of
from kit.observability.tracing import continued
from services.catalog import stock, undeliverable
from services.catalog.decisions import OrderStanding, Outcome, PaymentStanding, Standing
from services.catalog.models import Order, OrderItem, OrderPayment

delivered_total = Counter("orders_delivered_total", "Orders delivered")
undeliverable_total = Counter("orders_undeliverable_total", "Payments that could not be delivered for", ["reason"])
UNMOVED = frozenset({"payment.failed", "payment.held", "payment.disputed", "payment.dispute_resolved"})
"""What changes no order."""

log = structlog.get_logger("fulfilment")

ORDERS, PAYMENTS = table_of(Order).c, table_of(OrderPayment).c
LOCKED = (
    select(ORDERS.id, ORDERS.status, ORDERS.amount, ORDERS.currency, ORDERS.payment_reference)
    .where(ORDERS.id == any_(bindparam("ids", type_=ARRAY(Uuid))))
    .order_by(ORDERS.id)
    .with_for_update(key_share=True)
)
KNOWN = select(PAYMENTS.reference, PAYMENTS.order_id, PAYMENTS.outcome, PAYMENTS.refunded_amount).where(
    PAYMENTS.reference == any_(bindparam("references", type_=ARRAY(Text)))
)

# Orders of a batch to their new status, all at once.
MOVE = text("""
UPDATE orders SET status = moved.status, payment_reference = moved.reference
FROM unnest(CAST(:ids AS uuid[]), CAST(:statuses AS text[]), CAST(:references AS text[])) AS moved (id, status, reference)
WHERE orders.id = moved.id
""")

DELIVER = text("""
INSERT INTO deliveries (order_id, payment_reference)
SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:references AS text[]))
""")

# In order of reference (the arrays are sorted), so that of two workers none waits for the other in a circle.
# Whoever still awaits the payment may not have seen what another has found out meanwhile.
REMEMBER = text("""
INSERT INTO order_payments (reference, order_id, outcome, refunded_amount)
SELECT * FROM unnest(
    CAST(:references AS text[]), CAST(:ids AS uuid[]), CAST(:outcomes AS text[]), CAST(:refunded AS bigint[])
)
ON CONFLICT (reference) DO UPDATE SET
    outcome = CASE excluded.outcome WHEN 'awaited' THEN order_payments.outcome ELSE excluded.outcome END,
    refunded_amount = greatest(order_payments.refunded_amount, excluded.refunded_amount)
""")


async def fulfil(session: AsyncSession, events: Sequence[Event]) -> None:
    """The consumer's handler. A declined or a held payment changes no order: it may still be paid.

    Nor does a dispute: what was delivered stays delivered, and money that goes back is told by payment.refunded.
    """
    relevant = [event for event in events if isinstance(event, PaymentSucceeded | PaymentRefunded)]
    for event in events:
        with continued(event.traceparent):
            if isinstance(event, PaymentDisputeResolved) and event.data.lost:
                log.warning(
                    "dispute lost", order_id=event.subject, reference=event.data.reference, event_id=str(event.id)
                )
            elif event.type in UNMOVED:
                log.info("nothing to deliver", event_type=event.type, order_id=event.subject, event_id=str(event.id))
    if not relevant:
        return
    standing = await _load(session, relevant)
    standing.apply(relevant)
    await _save(session, standing)
    for event in relevant:
        if isinstance(event, PaymentSucceeded) and (
            standing.delivered.get(event.data.order_id) == event.data.reference
        ):
            with continued(event.traceparent):
                log.info("order delivered", order_id=event.subject, reference=event.data.reference)


async def _load(session: AsyncSession, events: Sequence[PaymentSucceeded | PaymentRefunded]) -> Standing:
    """What the events are about. The orders are locked, in order of id: until the commit they neither expire nor are cancelled."""
    ids = list({event.data.order_id for event in events})
    orders = {
        row.id: OrderStanding(row.status, row.amount, row.currency, row.payment_reference)
        for row in await session.execute(LOCKED, {"ids": ids})
    }
    found = await session.execute(KNOWN, {"references": list({event.data.reference for event in events})})
    payments = {
        reference: PaymentStanding(order_id, cast(Outcome, outcome), refunded)
        for reference, order_id, outcome, refunded in found
    }
    standing = Standing(orders, payments)
    moving = list(_whose_stock_may_move(standing, events) & orders.keys())
    if moving:
        standing.left = await stock.lock_for(session, moving)
        items = select(OrderItem.order_id, OrderItem.product_id, OrderItem.quantity)
        for order_id, product_id, quantity in await session.execute(items.where(OrderItem.order_id.in_(moving))):
            orders[order_id].items[product_id] = quantity
    return standing


def _whose_stock_may_move(standing: Standing, events: Sequence[PaymentSucceeded | PaymentRefunded]) -> set[UUID]:
    """Orders that are refunded, or paid after they expired. An ordinary payment moves none: its stock is reserved already."""
    found = set()
    for event in events:
        order = standing.orders.get(event.data.order_id)
        late = order is not None and order.status == "expired"
        if isinstance(event, PaymentRefunded) or event.data.reference in standing.payments or late:
            found.add(event.data.order_id)
    return found


async def _save(session: AsyncSession, standing: Standing) -> None:
    moved = sorted(standing.moved)
    if moved:
        orders = [standing.orders[order_id] for order_id in moved]
        await session.execute(
            MOVE,
            {
                "ids": moved,
                "statuses": [order.status for order in orders],
                "references": [order.payment_reference for order in orders],
            },
        )
    # Given back first: what one order returned, another of the same batch may have taken.
    await stock.give_back(session, sorted(standing.given_back - standing.taken_again))
    await stock.take_again(session, sorted(standing.taken_again - standing.given_back))
    if standing.delivered:
        delivered = sorted(standing.delivered)
        await session.execute(
            DELIVER, {"ids": delivered, "references": [standing.delivered[order_id] for order_id in delivered]}
        )
    references = sorted(standing.told)
    payments = [standing.payments[reference] for reference in references]
    await session.execute(
        REMEMBER,
        {
            "references": references,
            "ids": [payment.order_id for payment in payments],
            "outcomes": [payment.outcome for payment in payments],
            "refunded": [payment.refunded_amount for payment in payments],
        },
    )
    await undeliverable.tell(session, standing.undeliverable)
    delivered_total.inc(len(standing.delivered))
    for event in standing.undeliverable:
        undeliverable_total.labels(event.data.reason).inc()
        with continued(event.traceparent):
            log.warning(
                "order undeliverable",
                order_id=event.subject,
                reference=event.data.reference,
                reason=event.data.reason,
            )
