"""Load what an order contains: each variant with its product, its price and its stock."""

from collections.abc import Collection, Mapping
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from kit.db.bulk import table_of
from kit.db.sql_types import AnyRow
from services.catalog.errors import ProductNotFound
from services.catalog.models import Product, Variant
from services.catalog.orders.errors import CurrenciesDiffer, PriceMissing, ProductNotOffered, VariantRequired
from services.catalog.orders.limits import WantedVariant
from services.catalog.orders.schemas import RequestedItem
from services.catalog.statuses import ProductKind, ProductStatus
from services.catalog.stock.models import StockLevel

PRODUCTS, VARIANTS, LEVELS = table_of(Product), table_of(Variant), table_of(StockLevel)

ITEMS = (
    select(
        VARIANTS.c.id,
        VARIANTS.c.product_id,
        PRODUCTS.c.name,
        PRODUCTS.c.slug,
        VARIANTS.c.sku,
        VARIANTS.c.options,
        (LEVELS.c.on_hand - LEVELS.c.reserved + LEVELS.c.backorder_limit).label("orderable"),
        LEVELS.c.on_hand,
        PRODUCTS.c.low_stock,
        PRODUCTS.c.status,
        PRODUCTS.c.kind,
        PRODUCTS.c.price,
        PRODUCTS.c.currency,
        VARIANTS.c.prices,
    )
    .join_from(VARIANTS, PRODUCTS, PRODUCTS.c.id == VARIANTS.c.product_id)
    .outerjoin(LEVELS, LEVELS.c.variant_id == VARIANTS.c.id)
    .where(VARIANTS.c.id == any_(bindparam("ids", type_=ARRAY(Uuid))))
)


class PricedItem(NamedTuple):
    """A variant of an order with its quantity and its current price.

    `orderable`: how many units can be ordered (levels.ORDERABLE). `on_hand`: how many are there and not sold, reserved ones included. Both
    are None if the stock is unlimited.
    """

    variant_id: UUID
    product_id: UUID
    name: str
    slug: str
    sku: str | None
    options: dict[str, str]
    orderable: int | None
    on_hand: int | None
    low_stock_threshold: int
    status: ProductStatus
    kind: ProductKind
    quantity: int
    price: int
    currency: str

    def wanted_variant(self) -> WantedVariant:
        """Return the fields that the limits of orders (limits.py) check."""
        return WantedVariant(self.product_id, self.variant_id, self.name, self.quantity, self.on_hand or 0)


async def load_priced_items(
    session: AsyncSession, requested: Collection[RequestedItem], currency: str | None
) -> list[PricedItem]:
    """Return the items of an order; quantities of the same variant are added up. `currency`: that of the order, if the client chose one.

    Raises ProductNotFound, VariantRequired, ProductNotOffered, PriceMissing, CurrenciesDiffer.
    """
    quantities: dict[UUID, int] = {}
    products: dict[UUID, UUID] = {}
    for item in requested:
        variant_id = item.variant_id or item.product_id
        quantities[variant_id] = quantities.get(variant_id, 0) + item.quantity
        products[variant_id] = item.product_id
    found = await session.execute(ITEMS, {"ids": list(quantities)})
    rows = {row.id: row for row in found if row.product_id == products[row.id]}
    await _check_found(session, {key: product for key, product in products.items() if key not in rows})
    items = [_priced_item(rows[variant_id], quantity, currency) for variant_id, quantity in quantities.items()]
    not_offered = [item for item in items if item.status != ProductStatus.ACTIVE]
    if not_offered:
        detail = f"{not_offered[0].name} is not sold at present. Remove it from the order."
        raise ProductNotOffered(detail, products=sorted({str(item.product_id) for item in not_offered}))
    currencies = sorted({item.currency for item in items})
    if len(currencies) > 1:
        raise CurrenciesDiffer(currencies=currencies)
    return items


async def _check_found(session: AsyncSession, missing: Mapping[UUID, UUID]) -> None:
    """Raise the error about the variants that were not found; `missing` has the product that the order names for each."""
    if not missing:
        return
    unnamed = [product_id for variant_id, product_id in missing.items() if variant_id == product_id]
    with_options = select(Product.name).where(Product.id.in_(unnamed), Product.options != []).limit(1)
    name = (await session.execute(with_options)).scalar_one_or_none()
    if name is not None:
        raise VariantRequired(f"{name} has options: name the variant_id in the order.")
    ids = [str(product_id) for product_id in dict.fromkeys(missing.values())]
    variant_id, product_id = next(iter(missing.items()))
    what = f"product {product_id}" if variant_id == product_id else f"variant {variant_id} of the product {product_id}"
    raise ProductNotFound(f"There is no {what}. Remove it from the order.", products=ids)


def _priced_item(row: AnyRow, quantity: int, currency: str | None) -> PricedItem:
    chosen = currency or row.currency
    price = row.prices.get(chosen, row.price if chosen == row.currency else None)
    if price is None:
        raise PriceMissing(
            f"{row.name} has no price in {chosen}. Remove it from the order, or choose another currency."
        )
    return PricedItem(
        variant_id=row.id,
        product_id=row.product_id,
        name=row.name,
        slug=row.slug,
        sku=row.sku,
        options=row.options,
        orderable=row.orderable,
        on_hand=row.on_hand,
        low_stock_threshold=row.low_stock,
        status=row.status,
        kind=row.kind,
        quantity=quantity,
        price=price,
        currency=chosen,
    )
