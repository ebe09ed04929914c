"""The calls of catalog."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query

from kit.errors import NotAllowed, NotAuthenticated, Unavailable, problem_responses
from kit.fields import MAX_AMOUNT, Currency
from kit.idempotency import keys
from kit.idempotency.keys import IdempotencyKeyInUse, IdempotencyKeyReused, IdempotentRequest, KeyHeader
from kit.pagination import CursorParam, InvalidCursor, Limit
from services.catalog import categories, orders, products
from services.catalog.auth import AnyCaller, Buyer, Editor
from services.catalog.db import Transaction
from services.catalog.errors import (
    AmountTooLarge,
    CategoryNotFound,
    CurrenciesDiffer,
    OrderNotFound,
    OrderNotPending,
    OutOfStock,
    PriceRangeEmpty,
    ProductNotFound,
    SlugTaken,
)
from services.catalog.models import IdempotencyKey
from services.catalog.schemas import (
    Categories,
    CategoryOut,
    NewCategory,
    NewOrder,
    NewProduct,
    OrderOut,
    Orders,
    OrderStatus,
    ProductChange,
    ProductOut,
    Products,
    Tag,
)

router = APIRouter(prefix="/catalog")
TOKEN = (NotAuthenticated, Unavailable)
SCOPE = (*TOKEN, NotAllowed)
Price = Annotated[int | None, Query(ge=0, le=MAX_AMOUNT, description="Subunits of the currency")]
IdOrSlug = Annotated[str, Path(max_length=200)]


@router.get("/products", tags=["products"], responses=problem_responses(InvalidCursor, PriceRangeEmpty))
async def list_products(
    session: Transaction,
    q: Annotated[
        str | None, Query(max_length=200, description="Words of the name or description, or their beginnings")
    ] = None,
    category: Annotated[str | None, Query(max_length=200, description="Id or slug of a category")] = None,
    tag: Annotated[list[Tag] | None, Query(max_length=20, description="Repeated: products that have them all")] = None,
    min_price: Price = None,
    max_price: Price = None,
    currency: Currency | None = None,
    sort: Annotated[
        products.Sort, Query(description="newest first, cheapest first, dearest first, or by name")
    ] = "newest",
    limit: Limit = 20,
    cursor: CursorParam = None,
) -> Products:
    """Products that meet every filter given. Go on with `next_cursor` until it is null; rows that come and go meanwhile shift nothing."""
    wanted = products.Filter(q, category, tuple(tag or ()), min_price, max_price, currency)
    return await products.listed(session, wanted, sort=sort, limit=limit, cursor=cursor)


@router.post(
    "/products", status_code=201, tags=["products"], responses=problem_responses(*SCOPE, CategoryNotFound, SlugTaken)
)
async def create_product(new: NewProduct, _: Editor, session: Transaction) -> ProductOut:
    """Put a product into the catalog. Needs the scope catalog:write."""
    return await products.create(session, new)


@router.get("/products/{id_or_slug}", tags=["products"], responses=problem_responses(ProductNotFound))
async def read_product(id_or_slug: IdOrSlug, session: Transaction) -> ProductOut:
    """One product, with what can still be ordered of it."""
    return await products.read(session, id_or_slug)


@router.patch(
    "/products/{product_id}", tags=["products"], responses=problem_responses(*SCOPE, ProductNotFound, CategoryNotFound)
)
async def change_product(product_id: UUID, change: ProductChange, _: Editor, session: Transaction) -> ProductOut:
    """Change what is given: a new price, more stock. Orders keep the price that they were placed at. Needs the scope catalog:write."""
    return await products.change(session, product_id, change)


@router.get("/categories", tags=["categories"], responses=problem_responses(InvalidCursor))
async def list_categories(session: Transaction, limit: Limit = 100, cursor: CursorParam = None) -> Categories:
    """Categories, by slug."""
    return await categories.listed(session, limit=limit, cursor=cursor)


@router.post("/categories", status_code=201, tags=["categories"], responses=problem_responses(*SCOPE, SlugTaken))
async def create_category(new: NewCategory, _: Editor, session: Transaction) -> CategoryOut:
    """Make a category. Needs the scope catalog:write."""
    return await categories.create(session, new)


@router.post(
    "/orders",
    status_code=201,
    tags=["orders"],
    responses=problem_responses(
        *SCOPE, ProductNotFound, OutOfStock, IdempotencyKeyInUse, CurrenciesDiffer, AmountTooLarge, IdempotencyKeyReused
    ),
)
async def place_order(new: NewOrder, buyer: Buyer, session: Transaction, key: KeyHeader = None) -> OrderOut:
    """Order at today's prices; the stock is yours until `expires_at`. Needs the scope orders:write.

    With an Idempotency-Key the order is placed once, however often this is sent within a day; the answer is the first one's.
    """
    intent = IdempotentRequest.of(buyer.id, "place_order", key, new)
    kept = await keys.begin(session, IdempotencyKey, intent)
    if kept is not None:
        return OrderOut.model_validate(kept.body)
    order = await orders.place(session, buyer, new)
    await keys.store_response(session, IdempotencyKey, intent, 201, order)
    return order


@router.get("/orders", tags=["orders"], responses=problem_responses(*TOKEN, InvalidCursor))
async def list_orders(
    caller: AnyCaller,
    session: Transaction,
    status: OrderStatus | None = None,
    limit: Limit = 20,
    cursor: CursorParam = None,
) -> Orders:
    """Your orders, newest first."""
    return await orders.orders_of(session, caller, status=status, limit=limit, cursor=cursor)


@router.get("/orders/{order_id}", tags=["orders"], responses=problem_responses(*TOKEN, OrderNotFound))
async def read_order(order_id: UUID, caller: AnyCaller, session: Transaction) -> OrderOut:
    """One of your orders, or anybody's with the scope orders:read."""
    return await orders.read(session, caller, order_id)


@router.post(
    "/orders/{order_id}/cancel", tags=["orders"], responses=problem_responses(*SCOPE, OrderNotFound, OrderNotPending)
)
async def cancel_order(order_id: UUID, buyer: Buyer, session: Transaction) -> OrderOut:
    """Cancel your order while it is pending; cancelling it again changes nothing. A payment that is under way is given back."""
    return await orders.cancel(session, buyer, order_id)
