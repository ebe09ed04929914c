"""Place orders: copy the current prices and reserve the stock."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID, uuid4

import structlog
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.money import format_money, minimum_rule_broken_by
from kit.auth import Caller
from kit.db.after_commit import after_commit
from kit.fields import MAX_AMOUNT
from services.catalog import metrics
from services.catalog.errors import (
    AmountTooLarge,
    AmountTooSmall,
    CurrenciesDiffer,
    OutOfStock,
    ProductNotFound,
    ProductNotOffered,
    TooManyUnits,
)
from services.catalog.models import Delivery, Order, OrderItem, Product, StockLevel
from services.catalog.orders.limits import Wanted, check_limits
from services.catalog.orders.schemas import CustomerView, OrderItemView, OrderLine, OrderView, PlaceOrder
from services.catalog.settings import settings
from services.catalog.statuses import OrderStatus, ProductStatus, StockState
from services.catalog.stock import levels

log = structlog.get_logger("orders")


class ProductRow(NamedTuple):
    """The columns of a product that are needed to place an order."""

    id: UUID
    name: str
    slug: str
    price: int
    currency: str
    stock: int | None
    on_hand: int | None
    low_stock: int
    status: ProductStatus


async def place_order(
    session: AsyncSession, customer: Caller, request: PlaceOrder, network: str | None = None
) -> OrderView:
    """Reserve the stock and insert the order at the current prices. An order of amount 0 is delivered at once, without a payment.

    `network` is the network address of a guest. Raises ProductNotFound, ProductNotOffered, CurrenciesDiffer, AmountTooLarge,
    AmountTooSmall, TooManyUnits, OutOfStock, TooManyPendingOrders, ReservationLimitReached.
    """
    quantities = _add_up(request.items)
    if (units := sum(quantities.values())) > settings.catalog_max_units_per_order:
        limit = settings.catalog_max_units_per_order
        raise TooManyUnits(f"The order has {units} units, and {limit} are allowed. Split it into several orders.")
    products = await _load_products(session, quantities)
    amount, currency = sum(product.price * quantities[product.id] for product in products), products[0].currency
    if amount > MAX_AMOUNT:
        raise AmountTooLarge(
            f"The order's amount is {amount}, but a payment can be at most {MAX_AMOUNT}. Split it into several orders."
        )
    if (broken_rule := minimum_rule_broken_by(amount, currency)) is not None:
        raise AmountTooSmall(f"The order's amount cannot be paid: {broken_rule}. Order more.")
    order_id = uuid4()
    wanted = {
        product.id: Wanted(product.name, quantities[product.id], product.on_hand)
        for product in products
        if product.on_hand is not None
    }
    _refuse_sold_out(products, quantities)
    await check_limits(session, customer, network, wanted)
    reserved = await _reserve(session, products, quantities, order_id, customer)
    now, free = datetime.now(UTC), amount == 0
    status = OrderStatus.DELIVERED if free else OrderStatus.PENDING
    expires_at = now + timedelta(seconds=settings.catalog_reservation_seconds)
    await session.execute(
        insert(Order).values(
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
    )
    items = [
        _item_row(order_id, position, product, quantities[product.id], reserved=product.id in reserved)
        for position, product in enumerate(products)
    ]
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
        amount=format_money(amount, currency),
        customer_id=customer.id,
    )
    return OrderView(
        id=order_id,
        customer_id=customer.id,
        customer=CustomerView(id=customer.id, email=customer.email, name=customer.name),
        status=status,
        amount=amount,
        currency=currency,
        created_at=now,
        expires_at=expires_at,
        payment_reference=None,
        delivered_at=now if free else None,
        items=[_item_view(product, quantities[product.id]) for product in products],
    )


def _add_up(lines: Collection[OrderLine]) -> dict[UUID, int]:
    """Return the total quantity of each product, in the order of the lines."""
    quantities: dict[UUID, int] = {}
    for line in lines:
        quantities[line.product_id] = quantities.get(line.product_id, 0) + line.quantity
    return quantities


async def _load_products(session: AsyncSession, product_ids: Collection[UUID]) -> list[ProductRow]:
    """Return the products in the given order. Raises ProductNotFound, ProductNotOffered, CurrenciesDiffer."""
    query = select(
        Product.id,
        Product.name,
        Product.slug,
        Product.price,
        Product.currency,
        levels.AVAILABLE.label("stock"),
        StockLevel.on_hand,
        Product.low_stock,
        Product.status,
    )
    query = query.outerjoin(StockLevel, StockLevel.variant_id == Product.id)
    rows = await session.execute(query.where(Product.id.in_(list(product_ids))))
    products = {row.id: row for row in (ProductRow(*row) for row in rows)}
    missing = [str(product_id) for product_id in product_ids if product_id not in products]
    if missing:
        raise ProductNotFound(f"There is no product {missing[0]}. Remove it from the order.", products=missing)
    not_offered = [product for product in products.values() if product.status != ProductStatus.ACTIVE]
    if not_offered:
        detail = f"{not_offered[0].name} is not sold at present. Remove it from the order."
        raise ProductNotOffered(detail, products=[str(product.id) for product in not_offered])
    currencies = sorted({product.currency for product in products.values()})
    if len(currencies) > 1:
        raise CurrenciesDiffer(currencies=currencies)
    return [products[product_id] for product_id in product_ids]


def _refuse_sold_out(products: Collection[ProductRow], quantities: Mapping[UUID, int]) -> None:
    """Raise OutOfStock if a product has not enough units, before anything is locked: many requests for a sold-out product do not wait for
    each other."""
    left = {product.id: product.stock for product in products if product.stock is not None}
    _raise_if_short(products, quantities, {key: stock for key, stock in left.items() if quantities[key] > stock})


async def _reserve(
    session: AsyncSession,
    products: Collection[ProductRow],
    quantities: Mapping[UUID, int],
    order_id: UUID,
    customer: Caller,
) -> set[UUID]:
    """Reserve all quantities, or raise OutOfStock. Return the products with limited stock, which have reserved units now."""
    limited = {product.id: quantities[product.id] for product in products if product.stock is not None}
    if not limited:
        return set()
    available = await levels.reserve(session, limited, order_id, customer.id)
    short = [product_id for product_id in limited if product_id not in available]
    if short:  # other orders were faster
        query = select(StockLevel.variant_id, levels.AVAILABLE).where(StockLevel.variant_id.in_(short))
        _raise_if_short(products, limited, {row[0]: row[1] for row in await session.execute(query)})
    for product in products:
        left = available.get(product.id)
        if left is not None and left <= product.low_stock < left + limited[product.id]:
            after_commit(session, log.warning, "stock low", product_id=str(product.id), name=product.name, left=left)
    return set(limited)


def _raise_if_short(products: Collection[ProductRow], quantities: Mapping[UUID, int], left: Mapping[UUID, int]) -> None:
    """Raise OutOfStock if `left`, the available units of the products that have not enough, is not empty."""
    found = [
        {
            "product_id": str(product.id),
            "name": product.name,
            "wanted": quantities[product.id],
            "left": max(left[product.id], 0),
        }
        for product in products
        if product.id in left
    ]
    if found:
        names = ", ".join(f"{product['name']} ({product['left']} left)" for product in found[:5])
        raise OutOfStock(f"There is not enough stock of {names}. Reduce the quantities.", products=found)


def _item_row(
    order_id: UUID, position: int, product: ProductRow, quantity: int, *, reserved: bool
) -> dict[str, object]:
    return {
        "order_id": order_id,
        "product_id": product.id,
        "position": position,
        "name": product.name,
        "slug": product.slug,
        "quantity": quantity,
        "unit_price": product.price,
        "stock_state": StockState.RESERVED if reserved else StockState.UNTRACKED,
    }


def _item_view(product: ProductRow, quantity: int) -> OrderItemView:
    return OrderItemView(
        product_id=product.id,
        name=product.name,
        slug=product.slug,
        quantity=quantity,
        unit_price=product.price,
        amount=product.price * quantity,
    )
