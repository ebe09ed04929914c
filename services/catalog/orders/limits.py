"""Limits on what one customer can hold without paying, so that nobody reserves a whole shelf.

The limits are exact: the orders of one customer are counted one after the other, under a lock. A request that would wait for the lock is
first refused by a read if the customer has reached the limit, so thousands of them do not keep the connections that others need.
"""

from collections.abc import Mapping
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from kit.auth import Caller
from services.catalog.errors import ReservationLimitReached, TooManyPendingOrders
from services.catalog.models import Order, OrderItem
from services.catalog.settings import settings
from services.catalog.statuses import OrderStatus, StockState

ALWAYS_ALLOWED = 10
"""So many units of a product can always be reserved, however small its stock is."""

GUEST_ORDERS_PER_NETWORK = 50
TRY_LOCK = text("SELECT pg_try_advisory_xact_lock(hashtextextended(CAST(:key AS text), 0))")
LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(CAST(:key AS text), 0))")


class Wanted(NamedTuple):
    """An ordered variant with limited stock."""

    product_id: UUID
    variant_id: UUID
    name: str
    quantity: int
    on_hand: int

    def ids(self) -> dict[str, str]:
        """Return the ids for an error response. The variant is named if its product has options."""
        product = {"product_id": str(self.product_id)}
        return product if self.variant_id == self.product_id else product | {"variant_id": str(self.variant_id)}


def largest_reservation(on_hand: int, share: float) -> int:
    """Return how many units of a product one customer's unpaid orders may reserve."""
    return max(ALWAYS_ALLOWED, int(on_hand * share))


async def check_limits(
    session: AsyncSession, customer: Caller, network: str | None, wanted: Mapping[UUID, Wanted]
) -> None:
    """Check that the customer may place another order. `network` is the network address of a guest, None for an account.

    Holds a lock until the end of the transaction. Raises TooManyPendingOrders, ReservationLimitReached.
    """
    key = {"key": f"orders of {customer.id}"}
    if not (await session.execute(TRY_LOCK, key)).scalar_one():
        await _check_pending_orders(session, customer, network)
        await session.execute(LOCK, key)
    if network is not None:
        await session.execute(LOCK, {"key": f"guest orders of {network}"})
    await _check_pending_orders(session, customer, network)
    if wanted:
        await _check_reservations(session, customer, wanted)


async def _check_pending_orders(session: AsyncSession, customer: Caller, network: str | None) -> None:
    limit = settings.catalog_max_pending_orders
    if await _count(session, Order.customer_id == customer.id, limit) >= limit:
        raise TooManyPendingOrders(
            f"You have {limit} unpaid orders, and no more are allowed. Pay for one of them or cancel it, then order again.",
            limit=limit,
        )
    if network is not None:
        guests = await _count(session, Order.guest_network == network, GUEST_ORDERS_PER_NETWORK)
        if guests >= GUEST_ORDERS_PER_NETWORK:
            raise TooManyPendingOrders(
                f"Guests in your network have {guests} unpaid orders, and no more are allowed. Log in to order, or try again later.",
                limit=GUEST_ORDERS_PER_NETWORK,
            )


async def _count(session: AsyncSession, condition: ColumnElement[bool], limit: int) -> int:
    """Return the number of pending orders, at most `limit`."""
    found = select(Order.id).where(condition, Order.status == OrderStatus.PENDING).limit(limit).subquery()
    return (await session.execute(select(func.count()).select_from(found))).scalar_one()


async def _check_reservations(session: AsyncSession, customer: Caller, wanted: Mapping[UUID, Wanted]) -> None:
    query = (
        select(OrderItem.variant_id, func.sum(OrderItem.quantity))
        .join(Order, Order.id == OrderItem.order_id)
        .where(Order.customer_id == customer.id, Order.status == OrderStatus.PENDING)
        .where(OrderItem.variant_id.in_(list(wanted)), OrderItem.stock_state == StockState.RESERVED)
        .group_by(OrderItem.variant_id)
    )
    reserved = {row[0]: int(row[1]) for row in await session.execute(query)}
    share = settings.catalog_max_reserved_share
    left = {
        variant_id: max(0, largest_reservation(item.on_hand, share) - reserved.get(variant_id, 0))
        for variant_id, item in wanted.items()
    }
    above = [
        {**item.ids(), "name": item.name, "wanted": item.quantity, "left": left[variant_id]}
        for variant_id, item in wanted.items()
        if item.quantity > left[variant_id]
    ]
    if above:
        names = ", ".join(f"{each['name']} ({each['left']} more)" for each in above[:5])
        raise ReservationLimitReached(
            f"Your unpaid orders may reserve only a part of the stock: {names}. Pay for your orders first, or order fewer.",
            products=above,
        )
