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
from services.catalog.orders.errors import AddressRequired, AmountTooLarge, AmountTooSmall, OutOfStock, TooManyUnits
from services.catalog.orders.insert import insert_order
from services.catalog.orders.items import deliver_digital_items
from services.catalog.orders.limits import find_response_or_check_limits
from services.catalog.orders.models import Delivery
from services.catalog.orders.order_customer import OrderCustomer
from services.catalog.orders.priced_items import PricedItem, load_priced_items
from services.catalog.orders.schemas import CustomerView, OrderItemView, OrderView, PlaceOrder
from services.catalog.orders.status_tokens import status_tokens
from services.catalog.orders.views import complete_stored
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
        items = await _check(session, request)
    except Problem:
        stored = await keys.find(session, IdempotencyKey, idempotent)
        if stored is None:
            raise
        return await complete_stored(session, OrderView.model_validate(stored.body))
    with_stock_level = {item.variant_id: item for item in items if item.on_hand is not None}
    wanted_variants = {key: item.wanted_variant() for key, item in with_stock_level.items()}
    stored = await find_response_or_check_limits(session, customer, wanted_variants, idempotent)
    if stored is not None:
        return await complete_stored(session, OrderView.model_validate(stored.body))
    order = _new_order(customer, items, request.metadata or {})
    await _reserve(session, with_stock_level, order.id, customer)
    await _insert(session, order, items, customer, idempotent)
    order.status_token = status_tokens().token_of(order.id)
    if request.address is not None and _needs_fulfilment(items):
        order.address = await store_address(session, order.id, request.address)
    if order.status != OrderStatus.PENDING:
        await _treat_as_paid(session, order)
    _log_placed(session, order)
    return order


def _log_placed(session: AsyncSession, order: OrderView) -> None:
    after_commit(
        session,
        log.info,
        "order placed",
        order_id=str(order.id),
        number=order.number,
        amount=format_money(order.amount, order.currency),
        customer_id=order.customer_id,
    )


async def _treat_as_paid(session: AsyncSession, order: OrderView) -> None:
    """Do for an order of amount 0 what a payment does for other orders: take its units out of the stock, and deliver its digital items.

    If it has only digital items, the order itself is delivered.
    """
    await levels.sell(session, [order.id], order.customer_id)
    if order.status == OrderStatus.PAID:
        await deliver_digital_items(session, [order.id])
    if order.status == OrderStatus.DELIVERED:
        await session.execute(insert(Delivery).values(order_id=order.id, delivered_at=order.delivered_at))
        after_commit(session, metrics.orders_delivered.inc)


async def _check(session: AsyncSession, request: PlaceOrder) -> list[PricedItem]:
    """Load the items and check everything that can be checked without a lock."""
    if (units := sum(item.quantity for item in request.items)) > settings.catalog_max_units_per_order:
        limit = settings.catalog_max_units_per_order
        raise TooManyUnits(f"The order has {units} units, and {limit} are allowed. Split it into several orders.")
    items = await load_priced_items(session, request.items, request.currency)
    if request.address is None and any(item.kind == ProductKind.SHIPPED for item in items):
        raise AddressRequired
    amount, currency = _amount(items), items[0].currency
    if amount > MAX_AMOUNT:
        raise AmountTooLarge(
            f"The order's amount is {amount}, but a payment can be at most {MAX_AMOUNT}. Split it into several orders."
        )
    if (broken_rule := minimum_rule_broken_by(amount, currency)) is not None:
        raise AmountTooSmall(f"The order's amount cannot be paid: {broken_rule}. Order more.")
    with_stock_level = {item.variant_id: item for item in items if item.on_hand is not None}
    # Checked here with the stock that was read, before a lock is taken: many requests for a sold-out product do not wait for each other.
    units_left_of_short_variants = {
        variant_id: item.orderable or 0
        for variant_id, item in with_stock_level.items()
        if item.quantity > (item.orderable or 0)
    }
    _raise_if_short(with_stock_level, units_left_of_short_variants)
    return items


def _amount(items: Sequence[PricedItem]) -> int:
    return sum(item.price * item.quantity for item in items)


def _needs_fulfilment(items: Sequence[PricedItem]) -> bool:
    return any(item.kind != ProductKind.DIGITAL for item in items)


def _new_order(customer: OrderCustomer, items: Sequence[PricedItem], metadata: dict[str, str]) -> OrderView:
    """Return the order as the client sees it. It is not stored yet."""
    now, amount = datetime.now(UTC), _amount(items)
    status_without_payment = OrderStatus.PAID if _needs_fulfilment(items) else OrderStatus.DELIVERED
    status = OrderStatus.PENDING if amount else status_without_payment
    return OrderView(
        id=uuid4(),
        number=numbers.new_number(),
        customer_id=customer.id,
        customer=CustomerView(
            id=customer.id,
            email=customer.email,
            name=customer.name,
            phone=customer.phone,
            external_id=customer.external_id,
        ),
        status=status,
        amount=amount,
        currency=items[0].currency,
        created_at=now,
        expires_at=now + timedelta(seconds=settings.catalog_reservation_seconds),
        payment_reference=None,
        metadata=metadata,
        delivered_at=now if status == OrderStatus.DELIVERED else None,
        items=[_item_view(item, delivered=not amount and item.kind == ProductKind.DIGITAL) for item in items],
    )


async def _insert(
    session: AsyncSession,
    order: OrderView,
    items: Sequence[PricedItem],
    customer: OrderCustomer,
    idempotent: IdempotentRequest | None,
) -> None:
    """Insert the order. If another order has its random number, it gets another one."""
    row = _order_row(order, items, customer)
    item_rows = [_item_row(position, item) | {"created_at": order.created_at} for position, item in enumerate(items)]
    for _ in range(ATTEMPTS):
        if await insert_order(session, {**row, "number": order.number}, item_rows, idempotent, order):
            return
        order.number = numbers.new_number()
    raise Unavailable("No free order number was found. Please try again.")


async def _reserve(
    session: AsyncSession, with_stock_level: Mapping[UUID, PricedItem], order_id: UUID, customer: OrderCustomer
) -> None:
    """Reserve the items with a stock level, or raise OutOfStock."""
    if not with_stock_level:
        return
    quantities = {variant_id: item.quantity for variant_id, item in with_stock_level.items()}
    orderable = await levels.reserve(session, quantities, order_id, customer.id)
    short = [variant_id for variant_id in with_stock_level if variant_id not in orderable]
    if short:  # other orders were faster
        query = select(StockLevel.variant_id, levels.ORDERABLE.label("orderable")).where(
            StockLevel.variant_id.in_(short)
        )
        units_left_of_short_variants = {row.variant_id: row.orderable for row in await session.execute(query)}
        _raise_if_short(with_stock_level, units_left_of_short_variants)
        raise Unavailable  # the stock has become unlimited since it was read
    for variant_id, item in with_stock_level.items():
        left = orderable[variant_id]
        if left <= item.low_stock_threshold < left + item.quantity:  # this order crosses the threshold
            after_commit(session, log.warning, "stock low", **item.wanted_variant().ids(), name=item.name, left=left)


def _raise_if_short(items: Mapping[UUID, PricedItem], units_left_of_short_variants: Mapping[UUID, int]) -> None:
    """Raise OutOfStock unless `units_left_of_short_variants` is empty: of each variant with too few units, how many are left."""
    if units_left_of_short_variants:
        found = [
            {
                **item.wanted_variant().ids(),
                "name": item.name,
                "wanted": item.quantity,
                "left": max(units_left_of_short_variants[variant_id], 0),
            }
            for variant_id, item in items.items()
            if variant_id in units_left_of_short_variants
        ]
        names = ", ".join(f"{product['name']} ({product['left']} left)" for product in found[:5])
        raise OutOfStock(f"There is not enough stock of {names}. Reduce the quantities.", products=found)


def _order_row(order: OrderView, items: Sequence[PricedItem], customer: OrderCustomer) -> dict[str, object]:
    """Return the row of the order, without its number. It has the limit address of a guest while the order is pending."""
    return {
        "id": order.id,
        "customer_id": customer.id,
        "customer_email": customer.email,
        "customer_name": customer.name,
        "customer_phone": customer.phone,
        "customer_external_id": customer.external_id,
        "placed_by_program": customer.by_program,
        "guest_limit_address": customer.limit_address if order.status == OrderStatus.PENDING else None,
        "status": order.status,
        "needs_fulfilment": _needs_fulfilment(items),
        "amount": order.amount,
        "currency": order.currency,
        "client_metadata": order.metadata,
        "created_at": order.created_at,
        "expires_at": order.expires_at,
    }


def _item_row(position: int, item: PricedItem) -> dict[str, object]:
    return {
        "variant_id": item.variant_id,
        "product_id": item.product_id,
        "position": position,
        "name": item.name,
        "slug": item.slug,
        "sku": item.sku,
        "options": item.options,
        "quantity": item.quantity,
        "unit_price": item.price,
        "kind": item.kind,
        "stock_state": StockState.UNLIMITED if item.on_hand is None else StockState.RESERVED,
    }


def _item_view(item: PricedItem, *, delivered: bool) -> OrderItemView:
    units = item.quantity if delivered else 0
    return OrderItemView(
        product_id=item.product_id,
        variant_id=item.variant_id,
        sku=item.sku,
        options=item.options,
        name=item.name,
        slug=item.slug,
        quantity=item.quantity,
        unit_price=item.price,
        amount=item.price * item.quantity,
        kind=item.kind,
        packed=units,
        shipped=units,
        delivered=units,
    )
