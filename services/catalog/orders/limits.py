"""Limits on what one customer can reserve without paying, so that nobody reserves the whole stock of a product.

The orders of a program are counted for each of its customers, and all together too: a program, or an attacker who has its
secret, can invent any number of customers.

The limits are exact: the requests of one account or program are checked one at a time, under a lock. So that requests which wait for this
lock do not occupy all connections, the requests of one account or program to one process wait for each other before they get a connection
(turns.py).
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

import structlog
from sqlalchemy import ARRAY, Uuid, bindparam, text
from sqlalchemy.ext.asyncio import AsyncSession

from kit.db.driver import DriverStatement
from kit.idempotency import keys
from kit.idempotency.keys import IdempotentRequest, StoredResponse
from kit.log_throttling import log_throttled
from services.catalog.models import IdempotencyKey
from services.catalog.orders.errors import ReservationLimitReached, TooManyPendingOrders, TooManyPendingOrdersOfProgram
from services.catalog.orders.order_customer import OrderCustomer
from services.catalog.settings import settings

log = structlog.get_logger("orders")

ALWAYS_ALLOWED = 10
"""This many units of a variant can always be reserved, however small its stock is."""

GUEST_ORDERS_PER_LIMIT_ADDRESS = 50
"""The maximum number of pending orders of all guests with one limit address. An order whose first reservation is over, and which is
reserved only because a payment can still be completed, does not count: otherwise abandoned checkouts would lock out a mobile network for
hours. For such orders, find_within_limits limits the extension."""

LOCK = DriverStatement(text("SELECT pg_advisory_xact_lock(hashtextextended(CAST(:key AS text), 0))"))

PROGRAM_CUSTOMER = "coalesce('id ' || customer_external_id, lower(customer_email))"
"""SQL expression that identifies the customer of a program. The index on pending orders of programs has the same expression."""

OWN = "customer_id = :customer AND status = 'pending'"
OF_PROGRAM_CUSTOMER = (
    f"{OWN} AND placed_by_program"
    f" AND {PROGRAM_CUSTOMER} = coalesce('id ' || CAST(:external_id AS text), lower(CAST(:email AS text)))"
)

# At most as many orders as the limit are read, by an index: 0.2 ms for 1,000 of them.
ALL_OF_PROGRAM = f"""(
        SELECT count(*) FROM (SELECT FROM orders WHERE {OWN} AND placed_by_program LIMIT :program_limit) AS of_program
    )"""  # noqa: S608 -- the parts are constants

# Executed after the lock is taken: a statement does not see what was committed after it began.
COUNTS = """
SELECT
    (SELECT count(*) FROM (SELECT FROM orders WHERE {own} LIMIT :pending_limit) AS own) AS pending,
    {all_of_program} AS of_program,
    (SELECT count(*) FROM (
        SELECT FROM orders WHERE guest_limit_address = CAST(:limit_address AS text) AND status = 'pending'
        AND coalesce(first_expires_at, expires_at) > now() LIMIT :guest_limit
    ) AS guest_orders) AS guest_orders,
    (SELECT coalesce(jsonb_object_agg(variant_id, units), '{{}}') FROM (
        SELECT variant_id, sum(quantity) AS units FROM orders JOIN order_items ON order_id = orders.id
        WHERE {own} AND stock_state = 'reserved' AND variant_id = ANY(:variants)
        GROUP BY variant_id
    ) AS units_of_variants) AS reserved,
    EXISTS (
        SELECT FROM idempotency_keys
        WHERE caller = :customer AND operation = CAST(:operation AS text) AND key = CAST(:key AS text)
    ) AS repeated
"""


def _counts_of(own: str, all_of_program: str) -> DriverStatement:
    """Return the statement that counts the orders with this condition, the units that they reserve, and all orders of the program."""
    statement = text(COUNTS.format(own=own, all_of_program=all_of_program))
    return DriverStatement(statement.bindparams(bindparam("variants", type_=ARRAY(Uuid))))


COUNTS_OF_ACCOUNT = _counts_of(OWN, "0")
COUNTS_OF_PROGRAM_CUSTOMER = _counts_of(OF_PROGRAM_CUSTOMER, ALL_OF_PROGRAM)


# The orders of a program are counted for each of its customers, as above. Each of these conditions has its own index.
_SAME_ACCOUNT = "other.status = 'pending' AND other.customer_id = orders.customer_id"
_SAME_PROGRAM_CUSTOMER = (
    f"{_SAME_ACCOUNT} AND other.placed_by_program"
    " AND coalesce('id ' || other.customer_external_id, lower(other.customer_email))"
    " = coalesce('id ' || orders.customer_external_id, lower(orders.customer_email))"
)
_SAME_LIMIT_ADDRESS = "other.status = 'pending' AND other.guest_limit_address = orders.guest_limit_address"


# The items are looked up for each order (OFFSET 0): otherwise the planner may read all reserved items of the variant.
_COUNT = "(SELECT count(*) FROM (SELECT FROM orders AS other WHERE {} LIMIT :pending_limit + 1) AS own)"
_UNITS = """(
    SELECT coalesce(sum(reserved.quantity), 0) FROM orders AS other, LATERAL (
        SELECT quantity FROM order_items
        WHERE order_id = other.id AND variant_id = item.variant_id AND stock_state = 'reserved' OFFSET 0
    ) AS reserved
    WHERE {}
)"""
# The order itself is counted too. No lock: nothing is reserved here, and the limits are exact when orders are placed.
WITHIN_LIMITS = text(f"""
SELECT id FROM orders
WHERE id = ANY(:ids)
AND CASE WHEN placed_by_program THEN {_COUNT.format(_SAME_PROGRAM_CUSTOMER)} ELSE {_COUNT.format(_SAME_ACCOUNT)} END <= :pending_limit
AND NOT EXISTS (
    SELECT FROM order_items AS item JOIN stock_levels USING (variant_id)
    WHERE item.order_id = orders.id AND item.stock_state = 'reserved'
    AND greatest(:always_allowed, floor(on_hand * CAST(:share AS double precision))) < CASE
        WHEN orders.placed_by_program THEN {_UNITS.format(_SAME_PROGRAM_CUSTOMER)}
        WHEN orders.guest_limit_address IS NOT NULL THEN greatest({_UNITS.format(_SAME_ACCOUNT)}, {_UNITS.format(_SAME_LIMIT_ADDRESS)})
        ELSE {_UNITS.format(_SAME_ACCOUNT)}
    END
)
""").bindparams(bindparam("ids", type_=ARRAY(Uuid)))  # noqa: S608 -- the parts are constants


class WantedVariant(NamedTuple):
    """An ordered variant with a stock level."""

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
    """Return how many units of a variant one customer's pending orders may reserve."""
    return max(ALWAYS_ALLOWED, int(on_hand * share))


async def find_response_or_check_limits(
    session: AsyncSession,
    customer: OrderCustomer,
    wanted_variants: Mapping[UUID, WantedVariant],
    idempotent: IdempotentRequest | None = None,
) -> StoredResponse | None:
    """Check that the customer may place another order. The orders of a program are counted for each of its customers, and all together.

    If another transaction has answered the same request meanwhile, return its stored response. Holds a lock until the end of the
    transaction. Raises TooManyPendingOrders, TooManyPendingOrdersOfProgram, ReservationLimitReached.
    """
    await LOCK.fetch(session, key=f"orders of {customer.id}")
    if customer.limit_address is not None:
        await LOCK.fetch(session, key=f"guest orders of {customer.limit_address}")
    program_limit = settings.catalog_max_pending_orders_per_program
    person = {"external_id": customer.external_id, "email": customer.email, "program_limit": program_limit}
    statement = COUNTS_OF_PROGRAM_CUSTOMER if customer.by_program else COUNTS_OF_ACCOUNT
    (counts,) = await statement.fetch(
        session,
        **(person if customer.by_program else {}),
        customer=customer.id,
        limit_address=customer.limit_address,
        pending_limit=settings.catalog_max_pending_orders,
        guest_limit=GUEST_ORDERS_PER_LIMIT_ADDRESS,
        variants=list(wanted_variants),
        operation=idempotent.operation if idempotent else None,
        key=idempotent.key if idempotent else None,
    )
    if counts["repeated"]:
        return await keys.find(session, IdempotencyKey, idempotent)
    _check_pending_orders(counts["pending"], counts["guest_orders"])
    _check_program(customer, counts["of_program"])
    reserved = {UUID(variant_id): int(units) for variant_id, units in counts["reserved"].items()}
    _check_reservations(wanted_variants, reserved)
    return None


async def find_within_limits(session: AsyncSession, order_ids: Sequence[UUID]) -> set[UUID]:
    """Return those of these pending orders whose customers keep the limits: they may be reserved longer.

    For the share of a variant, all guests with one limit address count as one customer. Otherwise a few guests, who need no e-mail address,
    could keep a whole stock reserved for hours.

    The limits may be exceeded although every order kept them when it was placed: guests are merged into accounts, other customers buy from
    the same stock, and operators change the settings.
    """
    if not order_ids:
        return set()
    parameters = {
        "ids": list(order_ids),
        "pending_limit": settings.catalog_max_pending_orders,
        "always_allowed": ALWAYS_ALLOWED,
        "share": settings.catalog_max_reserved_share,
    }
    return set((await session.execute(WITHIN_LIMITS, parameters)).scalars())


def _check_pending_orders(pending: int, guest_orders: int) -> None:
    """Raise TooManyPendingOrders. `guest_orders`: the pending orders of all guests with the limit address of this guest; else 0."""
    limit = settings.catalog_max_pending_orders
    if pending >= limit:
        raise TooManyPendingOrders(
            f"You have {limit} pending orders, and no more are allowed. Pay for one of them or cancel it, then order again.",
            limit=limit,
        )
    if guest_orders >= GUEST_ORDERS_PER_LIMIT_ADDRESS:
        raise TooManyPendingOrders(
            f"Guests in your network have {guest_orders} pending orders, and no more are allowed. Log in to order, or try again later.",
            limit=GUEST_ORDERS_PER_LIMIT_ADDRESS,
        )


def _check_program(customer: OrderCustomer, pending: int) -> None:
    limit = settings.catalog_max_pending_orders_per_program
    if pending >= limit:
        log_throttled(
            log.warning,
            "order refused: the program has too many pending orders",
            about=customer.id,
            program=customer.id,
        )
        raise TooManyPendingOrdersOfProgram(
            f"The program {customer.id} has {limit} pending orders of all its customers, and no more are allowed. "
            "Cancel those that nobody will pay, then order again.",
            limit=limit,
        )


def _check_reservations(wanted_variants: Mapping[UUID, WantedVariant], reserved: Mapping[UUID, int]) -> None:
    share = settings.catalog_max_reserved_share
    left = {
        variant_id: max(0, largest_reservation(item.on_hand, share) - reserved.get(variant_id, 0))
        for variant_id, item in wanted_variants.items()
    }
    above = [
        {**item.ids(), "name": item.name, "wanted": item.quantity, "left": left[variant_id]}
        for variant_id, item in wanted_variants.items()
        if item.quantity > left[variant_id]
    ]
    if above:
        possible = ", ".join(f"{each['left']} × {each['name']}" for each in above[:5])
        raise ReservationLimitReached(
            f"Your pending orders may reserve only a part of the stock. You can order at most: {possible}. "
            "Pay for your pending orders first, or order fewer units.",
            products=above,
        )
