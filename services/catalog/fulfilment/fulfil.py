"""Staff pack, ship and deliver units of paid orders. The order is locked, so no unit gets a step twice or is refunded meanwhile."""

from collections.abc import Mapping
from uuid import UUID

import structlog
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from kit.audit import entries as audit
from kit.audit.actor import Actor
from kit.db.after_commit import after_commit
from kit.db.locks import for_no_key_update
from kit.db.sql_types import AnyRow
from services.catalog import metrics
from services.catalog.fulfilment.errors import (
    AddressErased,
    ItemNotOrdered,
    OrderNotPaid,
    OverFulfilled,
    StepNotPossible,
    UnitsMissing,
)
from services.catalog.fulfilment.schemas import FulfilItems, FulfilledItem
from services.catalog.fulfilment.steps import ItemUnits
from services.catalog.models import AuditLogEntry
from services.catalog.order_models import Order, OrderItem
from services.catalog.orders.errors import OrderNotFound
from services.catalog.orders.fulfilments import COLUMNS, view_of
from services.catalog.orders.models import Delivery, Fulfilment, OrderAddress, OrderPayment
from services.catalog.orders.numbers import has_id_or_number
from services.catalog.orders.schemas import FulfilmentView
from services.catalog.statuses import FulfilmentStep, OrderStatus, PaymentOutcome, ProductKind, StockState

log = structlog.get_logger("fulfilment")

Items = Mapping[UUID, AnyRow]
"""The items of an order by variant id."""


async def fulfil(session: AsyncSession, id_or_number: str, request: FulfilItems, actor: Actor) -> FulfilmentView:
    """Record a step with units of the paid order with this id or number. The order is delivered when all units are.

    Raises OrderNotFound, OrderNotPaid, ItemNotOrdered, StepNotPossible, OverFulfilled, UnitsMissing, AddressErased.
    """
    found = select(Order.id, Order.status, Order.payment_reference).where(has_id_or_number(id_or_number))
    order = (await session.execute(for_no_key_update(found))).one_or_none()
    if order is None:
        raise OrderNotFound
    order_id = order.id
    if order.status not in {OrderStatus.PAID, OrderStatus.DELIVERED}:
        raise OrderNotPaid(
            f"Only a paid order can be fulfilled, and this one is {order.status}.", order_status=order.status
        )
    rows = await session.execute(select(OrderItem.__table__).where(OrderItem.order_id == order_id))
    items = {row.variant_id: row for row in rows}
    quantities = _quantities(items, request.items)
    units = {variant_id: _units(row, order.status) for variant_id, row in items.items()}
    _check(items, units, quantities, request.step)
    await _check_address(session, order_id, items, quantities, request)
    for variant_id, quantity in quantities.items():
        units[variant_id] = units[variant_id].after(request.step, quantity)
        await _store(session, order_id, variant_id, units[variant_id])
    fulfilment = await _record(session, order_id, request, quantities, actor)
    if all(each.is_delivered for each in units.values()):
        await _deliver(session, order_id, order.payment_reference)
    return fulfilment


def _units(row: AnyRow, status: OrderStatus) -> ItemUnits:
    """Return the units of an item. In a delivered order all are delivered, although the rows of a digital order keep 0 (OrderItem)."""
    if status == OrderStatus.DELIVERED:
        return ItemUnits(row.kind, row.quantity, row.quantity, row.quantity, row.quantity)
    return ItemUnits(row.kind, row.quantity, row.packed, row.shipped, row.delivered)


def _quantities(items: Items, requested: list[FulfilledItem]) -> dict[UUID, int]:
    """Return the requested quantities by variant id. Raises ItemNotOrdered."""
    quantities: dict[UUID, int] = {}
    for line in requested:
        matching = [
            variant_id
            for variant_id, row in items.items()
            if line.variant_id in {None, variant_id} and line.product_id in {None, row.product_id}
        ]
        if len(matching) != 1:
            raise ItemNotOrdered(
                "The order has several variants of this product: name the variant_id."
                if matching
                else f"The order has no item {line.variant_id or line.product_id}. Get the order to see its items."
            )
        quantities[matching[0]] = quantities.get(matching[0], 0) + line.quantity
    return quantities


def _check(items: Items, units: Mapping[UUID, ItemUnits], quantities: Mapping[UUID, int], step: FulfilmentStep) -> None:
    """Raise StepNotPossible, OverFulfilled or UnitsMissing."""
    over = []
    for variant_id, quantity in quantities.items():
        name, left = items[variant_id].name, units[variant_id].left(step)
        if not units[variant_id].is_possible(step):
            raise StepNotPossible(f"{name} is a service: it can only be delivered.")
        if quantity > left:
            over.append({"variant_id": str(variant_id), "name": name, "wanted": quantity, "left": left})
    if over:
        names = ", ".join(f"{each['name']} ({each['left']} left)" for each in over[:5])
        raise OverFulfilled(f"The order does not have that many units left for the step {step}: {names}.", items=over)
    # The units were not there when the order was paid (a backorder): they are sold when they are received.
    missing = [variant_id for variant_id in quantities if items[variant_id].stock_state == StockState.RESERVED]
    if missing:
        names = ", ".join(items[variant_id].name for variant_id in missing[:5])
        raise UnitsMissing(
            f"Not all units of these items are in stock: {names}. "
            "First record a stock movement `received` or `counted`, then repeat the request.",
            variants=[str(variant_id) for variant_id in missing],
        )


async def _check_address(
    session: AsyncSession, order_id: UUID, items: Items, quantities: Mapping[UUID, int], request: FulfilItems
) -> None:
    """Raise AddressErased if units are shipped, or a tracking number is given, and the order has no address.

    The tracking number of a parcel reveals its address, so none is stored after the address was erased.
    """
    shipped = any(items[variant_id].kind == ProductKind.SHIPPED for variant_id in quantities)
    if request.tracking is not None or (shipped and request.step == FulfilmentStep.SHIP):
        address = select(OrderAddress.order_id).where(OrderAddress.order_id == order_id)
        if (await session.execute(address.with_for_update(read=True))).one_or_none() is None:
            raise AddressErased


async def _store(session: AsyncSession, order_id: UUID, variant_id: UUID, units: ItemUnits) -> None:
    changed = update(OrderItem).where(OrderItem.order_id == order_id, OrderItem.variant_id == variant_id)
    await session.execute(
        changed.values(packed=units.packed, shipped=units.shipped, delivered=units.delivered).execution_options(
            synchronize_session=False
        )
    )


async def _record(
    session: AsyncSession, order_id: UUID, request: FulfilItems, quantities: Mapping[UUID, int], actor: Actor
) -> FulfilmentView:
    """Insert the fulfilment and its audit entry. The entry has no tracking number, because it is kept for ever."""
    items = {str(variant_id): quantity for variant_id, quantity in quantities.items()}
    values = {
        "order_id": order_id,
        "step": request.step,
        "items": items,
        "tracking": request.tracking,
        "actor": actor.id,
    }
    inserted = await session.execute(insert(Fulfilment).values(values).returning(*COLUMNS))
    after = {"step": request.step, "items": items}
    await audit.record(session, AuditLogEntry, actor, "order.fulfilled", order_id, after=after)
    after_commit(session, log.info, "units fulfilled", order_id=str(order_id), step=request.step)
    return view_of(inserted.one())


async def _deliver(session: AsyncSession, order_id: UUID, reference: str | None) -> None:
    """Set the order to delivered: staff have delivered its last unit."""
    delivered = update(Order).where(Order.id == order_id).values(status=OrderStatus.DELIVERED)
    await session.execute(delivered.execution_options(synchronize_session=False))
    await session.execute(insert(Delivery).values(order_id=order_id, payment_reference=reference))
    paying = update(OrderPayment).where(OrderPayment.reference == reference)
    paying = paying.where(OrderPayment.outcome == PaymentOutcome.PAID).values(outcome=PaymentOutcome.DELIVERED)
    await session.execute(paying.execution_options(synchronize_session=False))
    after_commit(session, metrics.orders_delivered.inc)
    after_commit(session, log.info, "order delivered", order_id=str(order_id), reference=reference)
