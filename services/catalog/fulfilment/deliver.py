"""Deliver paid orders and apply refunds: a batch of payment events in a constant number of statements.

decisions.py makes the decisions. This module loads the data for them and stores the results.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

import structlog
from sqlalchemy import ARRAY, BigInteger, Text, Uuid, any_, bindparam, case, func, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.events import (
    Event,
    OrderUndeliverable,
    PaymentDisputed,
    PaymentDisputeResolved,
    PaymentEvent,
    PaymentFailed,
    PaymentHeld,
    PaymentRefunded,
    PaymentSucceeded,
)
from kit.db.after_commit import after_commit
from kit.db.bulk import array_parameters, array_values, table_of
from kit.observability.tracing import trace_id_of
from services.catalog import metrics
from services.catalog.fulfilment import undeliverable
from services.catalog.fulfilment.decisions import FulfilmentState, OrderState, PaymentState
from services.catalog.models import Delivery, Order, OrderItem, OrderPayment
from services.catalog.statuses import OrderStatus
from services.catalog.stock import levels

log = structlog.get_logger("fulfilment")

ORDERS, PAYMENTS, DELIVERIES = table_of(Order), table_of(OrderPayment), table_of(Delivery)

LOCK_ORDERS = (
    select(ORDERS.c.id, ORDERS.c.status, ORDERS.c.amount, ORDERS.c.currency, ORDERS.c.payment_reference)
    .where(ORDERS.c.id == any_(bindparam("ids", type_=ARRAY(Uuid))))
    .order_by(ORDERS.c.id)
    .with_for_update(key_share=True)
)
LOAD_PAYMENTS = select(PAYMENTS.c.reference, PAYMENTS.c.order_id, PAYMENTS.c.outcome, PAYMENTS.c.refunded_amount).where(
    PAYMENTS.c.reference == any_(bindparam("references", type_=ARRAY(Text)))
)

_changed = array_parameters(id=Uuid, status=ORDERS.c.status.type, reference=Text)
UPDATE_ORDERS = (
    update(ORDERS)
    .where(ORDERS.c.id == _changed.c.id)
    .values(status=_changed.c.status, payment_reference=_changed.c.reference, guest_network=None)
)

_delivered = array_parameters(order_id=Uuid, payment_reference=Text)
INSERT_DELIVERIES = insert(DELIVERIES).from_select(list(_delivered.c.keys()), select(_delivered))

# The rows are in order of reference, so that two workers do not deadlock. An unknown order has no row to lock, so two workers may process
# events of the same payment at the same time. `awaited` (only a refund is known) must not overwrite the outcome of the other worker.
_outcomes = array_parameters(reference=Text, order_id=Uuid, outcome=PAYMENTS.c.outcome.type, refunded_amount=BigInteger)
_upsert = insert(PAYMENTS).from_select(list(_outcomes.c.keys()), select(_outcomes))
UPSERT_PAYMENTS = _upsert.on_conflict_do_update(
    index_elements=["reference"],
    set_={
        "outcome": case(
            (_upsert.excluded.outcome == literal_column("'awaited'"), PAYMENTS.c.outcome),
            else_=_upsert.excluded.outcome,
        ),
        "refunded_amount": func.greatest(PAYMENTS.c.refunded_amount, _upsert.excluded.refunded_amount),
    },
)


async def handle(session: AsyncSession, events: Sequence[Event]) -> Mapping[UUID, str]:
    """Apply payment events to their orders (the consumer's handler).

    A failed or held payment does not change the order, which may still be paid. A dispute does not change the order either: a delivered
    order stays delivered, and `payment.refunded` reports refunded money. An event that contradicts the order or an earlier event is not
    applied.
    """
    ignored = [
        event
        for event in events
        if isinstance(event, PaymentFailed | PaymentHeld | PaymentDisputed | PaymentDisputeResolved)
    ]
    if ignored:
        after_commit(session, _log_ignored, ignored)
    relevant = [event for event in events if isinstance(event, PaymentSucceeded | PaymentRefunded)]
    if not relevant:
        return {}
    state = await _load(session, relevant)
    state.apply(relevant)
    if state.changed_payments:
        await _store(session, state)
        after_commit(session, _log_and_count, state)
    return state.contradictions


def _log_ignored(events: Sequence[PaymentEvent]) -> None:
    for event in events:
        if isinstance(event, PaymentDisputeResolved) and event.data.lost:
            log.warning("dispute lost", **_log_fields(event))
        else:
            log.info("event ignored", event_type=event.type, **_log_fields(event))


async def _load(session: AsyncSession, events: Sequence[PaymentSucceeded | PaymentRefunded]) -> FulfilmentState:
    """Load the orders and payments of the events.

    Locks the orders in order of id, so that they cannot expire or be cancelled before the commit.
    """
    ids = list({event.data.order_id for event in events})
    orders = {
        row.id: OrderState(row.status, row.amount, row.currency, row.payment_reference)
        for row in await session.execute(LOCK_ORDERS, {"ids": ids})
    }
    references = list({event.data.reference for event in events})
    payments = {
        row.reference: PaymentState(row.order_id, row.outcome, row.refunded_amount)
        for row in await session.execute(LOAD_PAYMENTS, {"references": references})
    }
    state = FulfilmentState(orders, payments)
    affected = list(_orders_with_stock_changes(state, events) & orders.keys())
    if affected:
        state.stock = await levels.lock_available(session, affected)
        items = select(OrderItem.order_id, OrderItem.variant_id, OrderItem.quantity)
        for order_id, variant_id, quantity in await session.execute(items.where(OrderItem.order_id.in_(affected))):
            orders[order_id].quantities[variant_id] = quantity
    return state


def _orders_with_stock_changes(
    state: FulfilmentState, events: Sequence[PaymentSucceeded | PaymentRefunded]
) -> set[UUID]:
    """Return the ids of the orders whose stock may change.

    These are expired orders, orders with a refund in the batch, and orders with a payment that is already stored from an earlier batch. The
    other payments change no stock, because the stock of their orders is already reserved.
    """
    affected = set()
    for event in events:
        order = state.orders.get(event.data.order_id)
        expired = order is not None and order.status == OrderStatus.EXPIRED
        if isinstance(event, PaymentRefunded) or event.data.reference in state.payments or expired:
            affected.add(event.data.order_id)
    return affected


async def _store(session: AsyncSession, state: FulfilmentState) -> None:
    if state.changed_orders:
        ids = sorted(state.changed_orders)
        orders = [state.orders[order_id] for order_id in ids]
        rows = array_values(
            id=ids,
            status=[order.status for order in orders],
            reference=[order.payment_reference for order in orders],
        )
        await session.execute(UPDATE_ORDERS, rows)
    # Release first: an order of the batch may need the stock that another order of the batch releases.
    given_back = sorted(state.released - state.reserved_again)
    await levels.release(session, given_back, levels.PAYMENTS)
    await levels.return_(session, given_back, levels.PAYMENTS)
    await levels.reserve_again(session, sorted(state.reserved_again - state.released), levels.PAYMENTS)
    await levels.sell(session, sorted(state.delivered.keys() - state.released), levels.PAYMENTS)
    if state.delivered:
        ids = sorted(state.delivered)
        references = [state.delivered[order_id].data.reference for order_id in ids]
        await session.execute(INSERT_DELIVERIES, array_values(order_id=ids, payment_reference=references))
    references = sorted(state.changed_payments)
    payments = [state.payments[reference] for reference in references]
    rows = array_values(
        reference=references,
        order_id=[payment.order_id for payment in payments],
        outcome=[payment.outcome for payment in payments],
        refunded_amount=[payment.refunded_amount for payment in payments],
    )
    await session.execute(UPSERT_PAYMENTS, rows)
    await undeliverable.publish(session, state.undeliverable)


def _log_and_count(state: FulfilmentState) -> None:
    metrics.orders_delivered.inc(len(state.delivered))
    for payment in state.delivered.values():
        log.info("order delivered", **_log_fields(payment))
    for event in state.undeliverable:
        metrics.orders_undeliverable.labels(event.data.reason).inc()
        log.warning("order undeliverable", **_log_fields(event), reason=event.data.reason)


def _log_fields(event: PaymentEvent | OrderUndeliverable) -> dict[str, object]:
    fields: dict[str, object] = {
        "order_id": event.subject,
        "reference": event.data.reference,
        "event_id": str(event.id),
    }
    return {**fields, "trace_id": trace_id_of(event.traceparent)} if event.traceparent else fields
