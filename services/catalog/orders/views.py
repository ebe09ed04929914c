"""Load orders with their items and payments, for responses."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.catalog.order_models import Order, OrderItem
from services.catalog.orders.addresses import AddressView, load_addresses
from services.catalog.orders.fulfilments import load_fulfilments
from services.catalog.orders.models import Delivery, OrderPayment
from services.catalog.orders.schemas import (
    CustomerView,
    FulfilmentView,
    OrderItemView,
    OrderPaymentView,
    OrderView,
    RefundInOtherCurrency,
)
from services.catalog.orders.status_tokens import status_tokens
from services.catalog.statuses import OrderStatus


class OrderRow(NamedTuple):
    """A row of the result of SELECT_ORDERS."""

    id: UUID
    number: str
    customer_id: str
    customer_email: str | None
    customer_name: str | None
    customer_phone: str | None
    customer_external_id: str | None
    status: OrderStatus
    amount: int
    currency: str
    created_at: datetime
    expires_at: datetime
    payment_reference: str | None
    needs_fulfilment: bool
    cancel_reason: str | None
    metadata: dict[str, str]
    delivered_at: datetime | None


SELECT_ORDERS = select(
    Order.id,
    Order.number,
    Order.customer_id,
    Order.customer_email,
    Order.customer_name,
    Order.customer_phone,
    Order.customer_external_id,
    Order.status,
    Order.amount,
    Order.currency,
    Order.created_at,
    Order.expires_at,
    Order.payment_reference,
    Order.needs_fulfilment,
    Order.cancel_reason,
    Order.client_metadata,
    Delivery.delivered_at,
).outerjoin(Delivery, Delivery.order_id == Order.id)


async def load_views(session: AsyncSession, orders: Sequence[OrderRow]) -> list[OrderView]:
    """Return the orders with their items and payments, in the given order."""
    ids = [order.id for order in orders]
    items = await _items(session, orders)
    payments = await _payments(session, ids)
    with_fulfilment = [order.id for order in orders if order.needs_fulfilment]
    addresses = await load_addresses(session, with_fulfilment)
    fulfilments = await load_fulfilments(session, with_fulfilment)
    return [
        _view(
            order,
            items[order.id],
            payments.get(order.id, []),
            fulfilments.get(order.id, []),
            addresses.get(order.id),
        )
        for order in orders
    ]


def as_stored(order: OrderView) -> OrderView:
    """Return the order as it is stored with an idempotency key: without its status token, and without its address, which can be erased."""
    return order.model_copy(update={"address": None, "status_token": ""})


async def complete_stored(session: AsyncSession, order: OrderView) -> OrderView:
    """Return the order of a stored response with its status token and the address that it still has."""
    address = (await load_addresses(session, [order.id])).get(order.id)
    return order.model_copy(update={"address": address, "status_token": status_tokens().token_of(order.id)})


def _view(
    order: OrderRow,
    items: list[OrderItemView],
    payments: list[OrderPaymentView],
    fulfilments: list[FulfilmentView],
    address: AddressView | None,
) -> OrderView:
    paying = [each for each in payments if each.reference == order.payment_reference]
    refunded = sum(each.refunded_amount for each in paying)
    in_other_currency = next((each.refunded_in_other_currency for each in paying), None)
    return OrderView(
        **order._asdict(),
        status_token=status_tokens().token_of(order.id),
        customer=CustomerView(
            id=order.customer_id,
            email=order.customer_email,
            name=order.customer_name,
            phone=order.customer_phone,
            external_id=order.customer_external_id,
        ),
        items=items,
        # The payer may have paid more than the order's amount, and got back all of it.
        refunded_amount=min(refunded, order.amount),
        refunded_in_other_currency=in_other_currency,
        partially_refunded=order.status != OrderStatus.REFUNDED and (refunded > 0 or in_other_currency is not None),
        payments=payments,
        address=address,
        fulfilments=fulfilments,
    )


async def _items(session: AsyncSession, orders: Sequence[OrderRow]) -> dict[UUID, list[OrderItemView]]:
    items: dict[UUID, list[OrderItemView]] = {order.id: [] for order in orders}
    delivered = {order.id for order in orders if order.delivered_at is not None}
    query = select(
        OrderItem.order_id,
        OrderItem.product_id,
        OrderItem.variant_id,
        OrderItem.sku,
        OrderItem.options,
        OrderItem.name,
        OrderItem.slug,
        OrderItem.quantity,
        OrderItem.unit_price,
        (OrderItem.unit_price * OrderItem.quantity).label("amount"),
        OrderItem.kind,
        OrderItem.packed,
        OrderItem.shipped,
        OrderItem.delivered,
    ).where(OrderItem.order_id.in_(list(items)))
    for row in await session.execute(query.order_by(OrderItem.order_id, OrderItem.position)):
        item = OrderItemView.model_validate(row)
        if row.order_id in delivered:  # delivering a digital order does not update the rows of its items
            item.packed = item.shipped = item.delivered = item.quantity
        items[row.order_id].append(item)
    return items


async def _payments(session: AsyncSession, order_ids: Sequence[UUID]) -> dict[UUID, list[OrderPaymentView]]:
    """Return the payments of these orders, including refunded payments."""
    payments: dict[UUID, list[OrderPaymentView]] = {}
    if order_ids:
        columns = (
            OrderPayment.order_id,
            OrderPayment.reference,
            OrderPayment.outcome,
            OrderPayment.refunded_amount,
            OrderPayment.refunded_in_other_currency,
            OrderPayment.other_currency,
            OrderPayment.dispute_lost,
            OrderPayment.created_at.label("reported_at"),
        )
        query = select(*columns).where(OrderPayment.order_id.in_(order_ids))
        for row in await session.execute(query.order_by(OrderPayment.created_at, OrderPayment.reference)):
            refund = None
            if row.other_currency is not None:
                refund = RefundInOtherCurrency(amount=row.refunded_in_other_currency, currency=row.other_currency)
            values = {**row._mapping, "refunded_in_other_currency": refund}
            payments.setdefault(row.order_id, []).append(OrderPaymentView.model_validate(values))
    return payments
