"""Apply payments and refunds to orders, and deliver digital items: a batch of payment events in a constant number of statements.

decisions.py makes the decisions. This module loads the data for them and stores the results.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

import structlog
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Text,
    Uuid,
    any_,
    bindparam,
    case,
    func,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.events import (
    Event,
    OrderUndeliverable,
    PaymentDisputed,
    PaymentDisputeResolved,
    PaymentEvent,
    PaymentHeld,
    PaymentRefunded,
)
from kit.db.after_commit import after_commit
from kit.db.bulk import array_parameters, array_values, table_of
from kit.db.locks import for_no_key_update
from kit.observability.tracing import trace_id_of
from services.catalog import metrics
from services.catalog.fulfilment import undeliverable
from services.catalog.fulfilment.decisions import ApplicableEvent, OrdersAndPayments, OrderState, PaymentState
from services.catalog.fulfilment.refund_rules import PaidItem
from services.catalog.order_models import Order, OrderItem
from services.catalog.orders.items import deliver_digital_items
from services.catalog.orders.models import Delivery, OrderPayment
from services.catalog.statuses import OrderStatus, StockState
from services.catalog.stock import levels

log = structlog.get_logger("fulfilment")

ORDERS, ITEMS, PAYMENTS, DELIVERIES = map(table_of, (Order, OrderItem, OrderPayment, Delivery))

LOCK_ORDERS = for_no_key_update(
    select(
        ORDERS.c.id,
        ORDERS.c.status,
        ORDERS.c.amount,
        ORDERS.c.currency,
        ORDERS.c.payment_reference,
        ORDERS.c.needs_fulfilment,
        ORDERS.c.client_metadata,
    )
    .where(ORDERS.c.id == any_(bindparam("ids", type_=ARRAY(Uuid))))
    .order_by(ORDERS.c.id)
)
LOAD_PAYMENTS = select(
    PAYMENTS.c.reference,
    PAYMENTS.c.order_id,
    PAYMENTS.c.outcome,
    PAYMENTS.c.refunded_amount,
    PAYMENTS.c.refunded_in_other_currency,
    PAYMENTS.c.other_currency,
    PAYMENTS.c.fully_refunded,
    PAYMENTS.c.dispute_lost,
).where(PAYMENTS.c.reference == any_(bindparam("references", type_=ARRAY(Text))))

LOAD_ITEMS = select(
    ITEMS.c.order_id, ITEMS.c.variant_id, ITEMS.c.kind, ITEMS.c.quantity, ITEMS.c.shipped, ITEMS.c.delivered
).where(ITEMS.c.stock_state != StockState.UNLIMITED)

_changed = array_parameters(id=Uuid, status=ORDERS.c.status.type, reference=Text)
UPDATE_ORDERS = (
    update(ORDERS)
    .where(ORDERS.c.id == _changed.c.id)
    .values(status=_changed.c.status, payment_reference=_changed.c.reference, guest_limit_address=None)
)

_delivered = array_parameters(order_id=Uuid, payment_reference=Text)
INSERT_DELIVERIES = insert(DELIVERIES).from_select(list(_delivered.c.keys()), select(_delivered))

# The rows are in order of reference, so that two workers do not deadlock. An unknown order has no row to lock, so two workers may process
# events of the same payment at the same time. A worker that has not seen the payment's success writes `awaited`; this must not overwrite
# the outcome that the other worker wrote.
_outcomes = array_parameters(
    reference=Text,
    order_id=Uuid,
    outcome=PAYMENTS.c.outcome.type,
    refunded_amount=BigInteger,
    refunded_in_other_currency=BigInteger,
    other_currency=Text,
    fully_refunded=Boolean,
    dispute_lost=Boolean,
)
_upsert = insert(PAYMENTS).from_select(list(_outcomes.c.keys()), select(_outcomes))
UPSERT_PAYMENTS = _upsert.on_conflict_do_update(
    index_elements=["reference"],
    set_={
        "outcome": case(
            (_upsert.excluded.outcome == literal_column("'awaited'"), PAYMENTS.c.outcome),
            else_=_upsert.excluded.outcome,
        ),
        "refunded_amount": func.greatest(PAYMENTS.c.refunded_amount, _upsert.excluded.refunded_amount),
        "refunded_in_other_currency": func.greatest(
            PAYMENTS.c.refunded_in_other_currency, _upsert.excluded.refunded_in_other_currency
        ),
        "other_currency": func.coalesce(PAYMENTS.c.other_currency, _upsert.excluded.other_currency),
        "fully_refunded": or_(PAYMENTS.c.fully_refunded, _upsert.excluded.fully_refunded),
        "dispute_lost": or_(PAYMENTS.c.dispute_lost, _upsert.excluded.dispute_lost),
    },
)


async def handle(session: AsyncSession, events: Sequence[Event]) -> Mapping[UUID, str]:
    """Apply payment events to their orders.

    A held payment does not change the order, which may still be paid. A dispute does not change the order either: a lost dispute
    is only recorded, and `payment.refunded` reports the money. An event that contradicts the order or an earlier event is not applied.
    """
    logged_here = [
        event for event in events if isinstance(event, PaymentHeld | PaymentDisputed | PaymentDisputeResolved)
    ]
    if logged_here:
        after_commit(session, _log_events, logged_here)
    relevant = [event for event in events if isinstance(event, ApplicableEvent) and not _is_won_dispute(event)]
    if not relevant:
        return {}
    state = await _load(session, relevant)
    state.apply(relevant)
    if state.changed_payments:
        await _store(session, state)
        after_commit(session, _log_and_count, state)
    return state.contradictions


def _is_won_dispute(event: Event) -> bool:
    return isinstance(event, PaymentDisputeResolved) and not event.data.lost


def _log_events(events: Sequence[PaymentEvent]) -> None:
    for event in events:
        if isinstance(event, PaymentDisputeResolved) and event.data.lost:
            log.warning("dispute lost", **_log_fields(event))
        else:
            log.info("event ignored", event_type=event.type, **_log_fields(event))


async def _load(session: AsyncSession, events: Sequence[ApplicableEvent]) -> OrdersAndPayments:
    """Load the orders and payments of the events.

    Locks the orders in order of id, so that they cannot expire or be cancelled before the commit.
    """
    ids = list({event.data.order_id for event in events})
    orders = {
        row.id: OrderState(
            row.status, row.amount, row.currency, row.payment_reference, row.needs_fulfilment, row.client_metadata
        )
        for row in await session.execute(LOCK_ORDERS, {"ids": ids})
    }
    references = list({event.data.reference for event in events})
    payments = {
        reference: PaymentState(*columns)
        for reference, *columns in await session.execute(LOAD_PAYMENTS, {"references": references})
    }
    state = OrdersAndPayments(orders, payments)
    affected = list(_orders_that_change_availability(state, events) & orders.keys())
    if affected:
        state.orderable = await levels.lock_orderable(session, affected)
        for row in await session.execute(LOAD_ITEMS.where(ITEMS.c.order_id.in_(affected))):
            item = PaidItem(row.kind, row.quantity, row.shipped, row.delivered)
            orders[row.order_id].items[row.variant_id] = item
    return state


def _orders_that_change_availability(state: OrdersAndPayments, events: Sequence[ApplicableEvent]) -> set[UUID]:
    """Return the ids of the orders that may change how many units can be ordered.

    These are expired orders, orders with a refund in the batch, and orders with a payment that is already stored from an earlier batch. The
    other payments do not change how many units can be ordered: their units only change from reserved to sold.
    """
    affected = set()
    for event in events:
        order = state.orders.get(event.data.order_id)
        expired = order is not None and order.status == OrderStatus.EXPIRED
        if isinstance(event, PaymentRefunded) or event.data.reference in state.payments or expired:
            affected.add(event.data.order_id)
    return affected


async def _store(session: AsyncSession, state: OrdersAndPayments) -> None:
    if state.changed_orders:
        ids = sorted(state.changed_orders)
        orders = [state.orders[order_id] for order_id in ids]
        rows = array_values(
            id=ids,
            status=[order.status for order in orders],
            reference=[order.payment_reference for order in orders],
        )
        await session.execute(UPDATE_ORDERS, rows)
    await _store_stock(session, state)
    delivered = sorted(state.delivered())
    if delivered:
        references = [state.paid_by[order_id].data.reference for order_id in delivered]
        await session.execute(INSERT_DELIVERIES, array_values(order_id=delivered, payment_reference=references))
    await deliver_digital_items(session, sorted(state.paid_by.keys() - delivered))
    references = sorted(state.changed_payments)
    payments = [state.payments[reference] for reference in references]
    rows = array_values(
        reference=references,
        order_id=[payment.order_id for payment in payments],
        outcome=[payment.outcome for payment in payments],
        refunded_amount=[payment.refunded_amount for payment in payments],
        refunded_in_other_currency=[payment.refunded_in_other_currency for payment in payments],
        other_currency=[payment.other_currency for payment in payments],
        fully_refunded=[payment.fully_refunded for payment in payments],
        dispute_lost=[payment.dispute_lost for payment in payments],
    )
    await session.execute(UPSERT_PAYMENTS, rows)
    await undeliverable.publish(session, state.undeliverable)


async def _store_stock(session: AsyncSession, state: OrdersAndPayments) -> None:
    """Store the changes of the stock.

    Orders that were paid in an earlier batch are restocked first: another order of this batch may need their units. Orders that are paid
    and refunded in this batch are restocked after their units were sold.
    """
    paid_before = {order_id: units for order_id, units in state.restocked.items() if order_id not in state.paid_by}
    paid_now = {order_id: units for order_id, units in state.restocked.items() if order_id in state.paid_by}
    await levels.restock(session, paid_before, levels.PAYMENTS_ACTOR)
    await levels.reserve_again(session, sorted(state.reserved_again), levels.PAYMENTS_ACTOR)
    await levels.sell(session, sorted(state.paid_by), levels.PAYMENTS_ACTOR)
    await levels.restock(session, paid_now, levels.PAYMENTS_ACTOR)
    # A refunded order may still have reserved units that were not in stock when it was paid.
    await levels.release(session, sorted(state.released | state.restocked.keys()), levels.PAYMENTS_ACTOR)


def _log_and_count(state: OrdersAndPayments) -> None:
    delivered = state.delivered()
    metrics.orders_delivered.inc(len(delivered))
    for order_id, payment in state.paid_by.items():
        log.info("order delivered" if order_id in delivered else "order paid", **_log_fields(payment))
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
