"""Place orders: copy the current prices and reserve the stock."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import structlog
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.money import format_money, minimum_rule_broken_by
from kit.db.after_commit import after_commit
from kit.errors import Problem, Unavailable
from kit.fields import MAX_AMOUNT
from kit.idempotency import keys
from kit.idempotency.keys import IdempotentRequest
from services.catalog import metrics
from services.catalog.models import IdempotencyKey
from services.catalog.orders import numbers
from services.catalog.orders.addresses import store_address
from services.catalog.orders.order_customer import OrderCustomer
from services.catalog.orders.errors import AddressRequired, AmountTooLarge, AmountTooSmall, OutOfStock, TooManyUnits
from services.catalog.orders.insert import insert_order
from services.catalog.orders.items import deliver_digital_items
from services.catalog.orders.limits import check_limits
from services.catalog.orders.lines import Line, load_lines
from services.catalog.orders.models import Delivery
from services.catalog.orders.schemas import CustomerView, OrderItemView, OrderView, PlaceOrder
from services.catalog.orders.status_tokens import status_tokens
from services.catalog.orders.views import with_secrets
from services.catalog.settings import settings
from services.catalog.statuses import OrderStatus, ProductKind, StockState
from services.catalog.stock import levels
from services.catalog.stock.models import StockLevel

ATTEMPTS = 5
"""How many random numbers are tried. With a hundred million orders, about one of 270 random numbers is already taken."""

log = structlog.get_logger("orders")


async def place_order(
    session: AsyncSession,
    customer: OrderCustomer,
    request: PlaceOrder,
    idempotent: IdempotentRequest | None = None,
) -> OrderView:
    """Reserve the stock and insert the order at the current prices. An order of amount 0 is paid at once, without a payment.

    `idempotent` is the request with its idempotency key: if it was answered before, nothing is done and the same order is returned.

    Raises ProductNotFound, VariantRequired, ProductNotOffered, PriceMissing, CurrenciesDiffer, AmountTooLarge, AmountTooSmall,
    TooManyUnits, AddressRequired, OutOfStock, TooManyPendingOrders, TooManyPendingOrdersOfProgram, ReservationLimitReached,
    IdempotencyKeyReused.
    """
    try:
        lines = await _check(session, request)
    except Problem:
        stored = await keys.find(session, IdempotencyKey, idempotent)
        if stored is None:
            raise
        return await with_secrets(session, OrderView.model_validate(stored.body))
    limited = {line.variant_id: line for line in lines if line.on_hand is not None}
    wanted = {key: line.wanted() for key, line in limited.items()}
    stored = await check_limits(session, customer, wanted, idempotent)
    if stored is not None:
        return await with_secrets(session, OrderView.model_validate(stored.body))
    order = _new_order(customer, lines, request.metadata or {})
    await _reserve(session, limited, order.id, customer)
    items = [_item_row(position, line) | {"created_at": order.created_at} for position, line in enumerate(lines)]
    await _insert(session, _order_row(order, lines, customer), items, idempotent, order)
    order.status_token = status_tokens().token_of(order.id)
    if request.address is not None and _needs_fulfilment(lines):
        order.address = await store_address(session, order.id, request.address)
    if order.status != OrderStatus.PENDING:
        await _sell_free(session, order)
    after_commit(
        session,
        log.info,
        "order placed",
        order_id=str(order.id),
        number=order.number,
        amount=format_money(order.amount, order.currency),
        customer_id=customer.id,
    )
    return order


async def _sell_free(session: AsyncSession, order: OrderView) -> None:
    """Take the units of an order of amount 0 out of the stock, and deliver its digital items."""
    await levels.sell(session, [order.id], order.customer_id)
    if order.status == OrderStatus.PAID:
        await deliver_digital_items(session, [order.id])
    if order.status == OrderStatus.DELIVERED:
        await session.execute(insert(Delivery).values(order_id=order.id, delivered_at=order.delivered_at))
        after_commit(session, metrics.orders_delivered.inc)


async def _check(session: AsyncSession, request: PlaceOrder) -> list[Line]:
    """Load the lines and check everything that can be checked without a lock."""
    if (units := sum(line.quantity for line in request.items)) > settings.catalog_max_units_per_order:
        limit = settings.catalog_max_units_per_order
        raise TooManyUnits(f"The order has {units} units, and {limit} are allowed. Split it into several orders.")
    lines = await load_lines(session, request.items, request.currency)
    if request.address is None and any(line.kind == ProductKind.SHIPPED for line in lines):
        raise AddressRequired
    amount, currency = _amount(lines), lines[0].currency
    if amount > MAX_AMOUNT:
        raise AmountTooLarge(
            f"The order's amount is {amount}, but a payment can be at most {MAX_AMOUNT}. Split it into several orders."
        )
    if (broken_rule := minimum_rule_broken_by(amount, currency)) is not None:
        raise AmountTooSmall(f"The order's amount cannot be paid: {broken_rule}. Order more.")
    limited = {line.variant_id: line for line in lines if line.on_hand is not None}
    # Checked here with the stock that was read, before a lock is taken: many requests for a sold-out product do not wait for each other.
    short = {key: line.stock or 0 for key, line in limited.items() if line.quantity > (line.stock or 0)}
    _raise_if_short(limited, short)
    return lines


def _amount(lines: Sequence[Line]) -> int:
    return sum(line.price * line.quantity for line in lines)


def _needs_fulfilment(lines: Sequence[Line]) -> bool:
    return any(line.kind != ProductKind.DIGITAL for line in lines)


def _new_order(customer: OrderCustomer, lines: Sequence[Line], metadata: dict[str, str]) -> OrderView:
    """Return the order as the client sees it. It is not stored yet."""
    now, amount = datetime.now(UTC), _amount(lines)
    status_if_free = OrderStatus.PAID if _needs_fulfilment(lines) else OrderStatus.DELIVERED
    status = OrderStatus.PENDING if amount else status_if_free
    return OrderView(
        id=uuid4(),
        number=numbers.new_number(),
        customer_id=customer.id,
        customer=CustomerView(
            id=customer.id, email=customer.email, name=customer.name, phone=customer.phone, external_id=customer.external_id
        ),
        status=status,
        amount=amount,
        currency=lines[0].currency,
        created_at=now,
        expires_at=now + timedelta(seconds=settings.catalog_reservation_seconds),
        payment_reference=None,
        metadata=metadata,
        delivered_at=now if status == OrderStatus.DELIVERED else None,
        items=[_item_view(line, delivered=not amount and line.kind == ProductKind.DIGITAL) for line in lines],
    )


async def _insert(
    session: AsyncSession,
    row: Mapping[str, object],
    items: Sequence[Mapping[str, object]],
    idempotent: IdempotentRequest | None,
    order: OrderView,
) -> None:
    """Insert the order. If another order has its random number, it gets another one."""
    for _ in range(ATTEMPTS):
        if await insert_order(session, {**row, "number": order.number}, items, idempotent, order):
            return
        order.number = numbers.new_number()
    raise Unavailable("No free order number was found. Please try again.")


async def _reserve(session: AsyncSession, limited: Mapping[UUID, Line], order_id: UUID, customer: OrderCustomer) -> None:
    """Reserve the lines with limited stock, or raise OutOfStock."""
    if not limited:
        return
    quantities = {variant_id: line.quantity for variant_id, line in limited.items()}
    available = await levels.reserve(session, quantities, order_id, customer.id)
    short = [variant_id for variant_id in limited if variant_id not in available]
    if short:  # other orders were faster
        query = select(StockLevel.variant_id, levels.ORDERABLE).where(StockLevel.variant_id.in_(short))
        _raise_if_short(limited, {row[0]: row[1] for row in await session.execute(query)})
        raise Unavailable  # the stock has become unlimited since it was read
    for variant_id, line in limited.items():
        left = available[variant_id]
        if left <= line.low_stock < left + line.quantity:
            after_commit(session, log.warning, "stock low", **line.wanted().ids(), name=line.name, left=left)


def _raise_if_short(lines: Mapping[UUID, Line], left: Mapping[UUID, int]) -> None:
    """Raise OutOfStock, unless `left` is empty. `left`: the available units of each variant that has fewer than the order needs."""
    if left:
        found = [
            {**line.wanted().ids(), "name": line.name, "wanted": line.quantity, "left": max(left[variant_id], 0)}
            for variant_id, line in lines.items()
            if variant_id in left
        ]
        names = ", ".join(f"{product['name']} ({product['left']} left)" for product in found[:5])
        raise OutOfStock(f"There is not enough stock of {names}. Reduce the quantities.", products=found)


def _order_row(order: OrderView, lines: Sequence[Line], customer: OrderCustomer) -> dict[str, object]:
    """Return the row of the order, without its number. It has the network of a guest while the order is pending."""
    return {
        "id": order.id,
        "customer_id": customer.id,
        "customer_email": customer.email,
        "customer_name": customer.name,
        "customer_phone": customer.phone,
        "customer_external_id": customer.external_id,
        "placed_by_program": customer.by_program,
        "guest_network": customer.network if order.status == OrderStatus.PENDING else None,
        "status": order.status,
        "needs_fulfilment": _needs_fulfilment(lines),
        "amount": order.amount,
        "currency": order.currency,
        "client_metadata": order.metadata,
        "created_at": order.created_at,
        "expires_at": order.expires_at,
    }


def _item_row(position: int, line: Line) -> dict[str, object]:
    return {
        "variant_id": line.variant_id,
        "product_id": line.product_id,
        "position": position,
        "name": line.name,
        "slug": line.slug,
        "sku": line.sku,
        "options": line.options,
        "quantity": line.quantity,
        "unit_price": line.price,
        "kind": line.kind,
        "stock_state": StockState.UNTRACKED if line.on_hand is None else StockState.RESERVED,
    }


def _item_view(line: Line, *, delivered: bool) -> OrderItemView:
    units = line.quantity if delivered else 0
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
        kind=line.kind,
        packed=units,
        shipped=units,
        delivered=units,
    )
