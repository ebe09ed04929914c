"""Place orders: copy the current prices and reserve the stock."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import structlog
from sqlalchemy import insert, select
from sqlalchemy.dialects.postgresql import insert as insert_or_skip
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.money import format_money, minimum_rule_broken_by
from kit.auth import Caller
from kit.db.after_commit import after_commit
from kit.errors import Unavailable
from kit.fields import MAX_AMOUNT
from services.catalog import metrics
from services.catalog.errors import (
    AmountTooLarge,
    AmountTooSmall,
    OutOfStock,
    TooManyUnits,
)
from services.catalog.models import Delivery, Order, OrderItem, StockLevel
from services.catalog.orders import numbers
from services.catalog.orders.limits import check_limits
from services.catalog.orders.lines import Line, load_lines
from services.catalog.orders.schemas import CustomerView, OrderItemView, OrderView, PlaceOrder
from services.catalog.settings import settings
from services.catalog.statuses import OrderStatus, StockState
from services.catalog.stock import levels

ATTEMPTS = 5
"""How many random numbers are tried. Even among a hundred million orders, one of 270 numbers is taken."""

log = structlog.get_logger("orders")


async def place_order(
    session: AsyncSession, customer: Caller, request: PlaceOrder, network: str | None = None
) -> OrderView:
    """Reserve the stock and insert the order at the current prices. An order of amount 0 is delivered at once, without a payment.

    `network` is the network address of a guest. Raises ProductNotFound, VariantRequired, ProductNotOffered, PriceMissing, CurrenciesDiffer,
    AmountTooLarge, AmountTooSmall, TooManyUnits, OutOfStock, TooManyPendingOrders, ReservationLimitReached.
    """
    if (units := sum(line.quantity for line in request.items)) > settings.catalog_max_units_per_order:
        limit = settings.catalog_max_units_per_order
        raise TooManyUnits(f"The order has {units} units, and {limit} are allowed. Split it into several orders.")
    lines = await load_lines(session, request.items, request.currency)
    amount, currency = sum(line.price * line.quantity for line in lines), lines[0].currency
    if amount > MAX_AMOUNT:
        raise AmountTooLarge(
            f"The order's amount is {amount}, but a payment can be at most {MAX_AMOUNT}. Split it into several orders."
        )
    if (broken_rule := minimum_rule_broken_by(amount, currency)) is not None:
        raise AmountTooSmall(f"The order's amount cannot be paid: {broken_rule}. Order more.")
    order_id = uuid4()
    limited = {line.variant_id: line for line in lines if line.on_hand is not None}
    _raise_if_short(
        limited, {key: line.stock or 0 for key, line in limited.items() if line.quantity > (line.stock or 0)}
    )
    await check_limits(session, customer, network, {key: line.wanted() for key, line in limited.items()})
    await _reserve(session, limited, order_id, customer)
    now, free = datetime.now(UTC), amount == 0
    status = OrderStatus.DELIVERED if free else OrderStatus.PENDING
    expires_at = now + timedelta(seconds=settings.catalog_reservation_seconds)
    number = await _insert_order(
        session,
        id=order_id,
        customer_id=customer.id,
        customer_email=customer.email,
        customer_name=customer.name,
        guest_network=None if free else network,
        status=status,
        amount=amount,
        currency=currency,
        created_at=now,
        expires_at=expires_at,
    )
    items = [_item_row(order_id, position, line) for position, line in enumerate(lines)]
    await session.execute(insert(OrderItem), items)
    if free:
        await levels.sell(session, [order_id], customer.id)
        await session.execute(insert(Delivery).values(order_id=order_id, delivered_at=now))
        after_commit(session, metrics.orders_delivered.inc)
    after_commit(
        session,
        log.info,
        "order placed",
        order_id=str(order_id),
        number=number,
        amount=format_money(amount, currency),
        customer_id=customer.id,
    )
    return OrderView(
        id=order_id,
        number=number,
        customer_id=customer.id,
        customer=CustomerView(id=customer.id, email=customer.email, name=customer.name),
        status=status,
        amount=amount,
        currency=currency,
        created_at=now,
        expires_at=expires_at,
        payment_reference=None,
        delivered_at=now if free else None,
        items=[_item_view(line) for line in lines],
    )


async def _insert_order(session: AsyncSession, **values: object) -> str:
    """Insert the order with a random number that no other order has, and return the number."""
    for _ in range(ATTEMPTS):
        number = numbers.new_number()
        row = insert_or_skip(Order).values(number=number, **values)
        row = row.on_conflict_do_nothing(index_elements=[Order.number])
        if await session.scalar(row.returning(Order.number)) is not None:
            return number
    raise Unavailable("No free order number was found. Please try again.")


async def _reserve(session: AsyncSession, limited: Mapping[UUID, Line], order_id: UUID, customer: Caller) -> None:
    """Reserve the lines with limited stock, or raise OutOfStock."""
    if not limited:
        return
    quantities = {variant_id: line.quantity for variant_id, line in limited.items()}
    available = await levels.reserve(session, quantities, order_id, customer.id)
    short = [variant_id for variant_id in limited if variant_id not in available]
    if short:  # other orders were faster
        query = select(StockLevel.variant_id, levels.AVAILABLE).where(StockLevel.variant_id.in_(short))
        _raise_if_short(limited, {row[0]: row[1] for row in await session.execute(query)})
    for variant_id, line in limited.items():
        left = available[variant_id]
        if left <= line.low_stock < left + line.quantity:
            after_commit(session, log.warning, "stock low", **line.wanted().ids(), name=line.name, left=left)


def _raise_if_short(lines: Mapping[UUID, Line], left: Mapping[UUID, int]) -> None:
    """Raise OutOfStock if `left`, the available units of the variants that have not enough, is not empty.

    Before anything is locked, the lines are checked with what was read: many requests for a sold-out product do not wait for each other.
    """
    if left:
        found = [
            {**line.wanted().ids(), "name": line.name, "wanted": line.quantity, "left": max(left[variant_id], 0)}
            for variant_id, line in lines.items()
            if variant_id in left
        ]
        names = ", ".join(f"{product['name']} ({product['left']} left)" for product in found[:5])
        raise OutOfStock(f"There is not enough stock of {names}. Reduce the quantities.", products=found)


def _item_row(order_id: UUID, position: int, line: Line) -> dict[str, object]:
    return {
        "order_id": order_id,
        "variant_id": line.variant_id,
        "product_id": line.product_id,
        "position": position,
        "name": line.name,
        "slug": line.slug,
        "sku": line.sku,
        "options": line.options,
        "quantity": line.quantity,
        "unit_price": line.price,
        "stock_state": StockState.UNTRACKED if line.on_hand is None else StockState.RESERVED,
    }


def _item_view(line: Line) -> OrderItemView:
    return OrderItemView(
        product_id=line.product_id,
        variant_id=line.variant_id,
        sku=line.sku,
        options=line.options,
        name=line.name,
        slug=line.slug,
        quantity=line.quantity,
        unit_price=line.price,
        amount=line.price * line.quantity,
    )
