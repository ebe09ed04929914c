"""Limits on what one customer can reserve without paying, so that nobody reserves the whole stock of a product.

The limits are exact: the orders of one customer are counted one after the other, under a lock. The requests of one customer to the same
process have waited for each other before they got a connection (turns.py), so they do not keep the connections that others need.
"""

from collections.abc import Mapping
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, bindparam, text
from sqlalchemy.ext.asyncio import AsyncSession

from kit.auth import Caller
from kit.db.driver import DriverStatement
from kit.idempotency import keys
from kit.idempotency.keys import IdempotentRequest, StoredResponse
from services.catalog.models import IdempotencyKey
from services.catalog.orders.errors import ReservationLimitReached, TooManyPendingOrders
from services.catalog.settings import settings

ALWAYS_ALLOWED = 10
"""So many units of a product can always be reserved, however small its stock is."""

GUEST_ORDERS_PER_NETWORK = 50
LOCK = DriverStatement(text("SELECT pg_advisory_xact_lock(hashtextextended(CAST(:key AS text), 0))"))

# After the lock, because a statement does not see what was committed after it began.
HELD = DriverStatement(
    text("""
SELECT
    (SELECT count(*) FROM (
        SELECT FROM orders WHERE customer_id = :customer AND status = 'pending' LIMIT :pending_limit
    ) AS own) AS pending,
    (SELECT count(*) FROM (
        SELECT FROM orders WHERE guest_network = CAST(:network AS text) AND status = 'pending' LIMIT :guest_limit
    ) AS guests) AS guests,
    (SELECT coalesce(jsonb_object_agg(variant_id, units), '{}') FROM (
        SELECT variant_id, sum(quantity) AS units FROM orders JOIN order_items ON order_id = orders.id
        WHERE customer_id = :customer AND status = 'pending' AND stock_state = 'reserved' AND variant_id = ANY(:variants)
        GROUP BY variant_id
    ) AS held) AS reserved,
    EXISTS (
        SELECT FROM idempotency_keys
        WHERE caller = :customer AND operation = CAST(:operation AS text) AND key = CAST(:key AS text)
    ) AS repeated
""").bindparams(bindparam("variants", type_=ARRAY(Uuid)))
)


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
    session: AsyncSession,
    customer: Caller,
    network: str | None,
    wanted: Mapping[UUID, Wanted],
    idempotent: IdempotentRequest | None = None,
) -> StoredResponse | None:
    """Check that the customer may place another order. `network` is the network address of a guest, None for an account.

    Return the stored response if the same request was answered since it was looked up. Holds a lock until the end of the transaction.
    Raises TooManyPendingOrders, ReservationLimitReached.
    """
    await LOCK.fetch(session, key=f"orders of {customer.id}")
    if network is not None:
        await LOCK.fetch(session, key=f"guest orders of {network}")
    (held,) = await HELD.fetch(
        session,
        customer=customer.id,
        network=network,
        pending_limit=settings.catalog_max_pending_orders,
        guest_limit=GUEST_ORDERS_PER_NETWORK,
        variants=list(wanted),
        operation=idempotent.operation if idempotent else None,
        key=idempotent.key if idempotent else None,
    )
    if held["repeated"]:
        return await keys.find(session, IdempotencyKey, idempotent)
    _check_pending_orders(held["pending"], held["guests"])
    reserved = {UUID(variant_id): int(units) for variant_id, units in held["reserved"].items()}
    _check_reservations(wanted, reserved)
    return None


def _check_pending_orders(pending: int, guests: int) -> None:
    limit = settings.catalog_max_pending_orders
    if pending >= limit:
        raise TooManyPendingOrders(
            f"You have {limit} unpaid orders, and no more are allowed. Pay for one of them or cancel it, then order again.",
            limit=limit,
        )
    if guests >= GUEST_ORDERS_PER_NETWORK:
        raise TooManyPendingOrders(
            f"Guests in your network have {guests} unpaid orders, and no more are allowed. Log in to order, or try again later.",
            limit=GUEST_ORDERS_PER_NETWORK,
        )


def _check_reservations(wanted: Mapping[UUID, Wanted], reserved: Mapping[UUID, int]) -> None:
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
