"""The routes of variants."""

from typing import Annotated
from uuid import UUID

from fastapi import Path

from kit.http.routing import Router
from kit.idempotency import keys
from kit.idempotency.keys import (
    IdempotencyKeyInUse,
    IdempotencyKeyReused,
    IdempotentRequest,
    KeyHeader,
    RequiredKeyHeader,
)
from kit.pagination import CursorParam, InvalidCursor, Limit
from kit.problem_responses import problem_responses
from services.catalog.auth import CallerScopes, EditingActor, StockActor, StockKeeper
from services.catalog.db import DatabaseTransaction, Reading
from services.catalog.errors import PreconditionFailed, PriceNotWhole, ProductNotFound
from services.catalog.models import IdempotencyKey
from services.catalog.preconditions import VariantIfMatch
from services.catalog.stock.edit import get_level, set_backorder_limit
from services.catalog.stock.errors import StockChanged, StockNotFound, StockTooLow
from services.catalog.stock.routes import list_movements, move_stock_once
from services.catalog.stock.schemas import MoveStock, StockLevelView, StockMovementPage, UpdateStock
from services.catalog.stock.unlimited import make_unlimited
from services.catalog.variants import edit, lists
from services.catalog.variants.errors import (
    DefaultVariant,
    OptionsDiffer,
    TooManyVariants,
    VariantExists,
    VariantNotFound,
    VariantOrdered,
)
from services.catalog.variants.schemas import CreateVariant, UpdateVariant, VariantList, VariantView

router = Router(prefix="/catalog", tags=["variants"])

ProductId = Annotated[UUID, Path(description="Id of the product")]
VariantId = Annotated[
    UUID, Path(description="Id of the variant; that of a product without options is the id of the product")
]


@router.get(
    "/products/{product_id}/variants",
    response_model_exclude_unset=True,
    summary="List the variants of a product",
    responses=problem_responses(ProductNotFound),
)
async def list_variants(product_id: ProductId, session: Reading, scopes: CallerScopes) -> VariantList:
    """Return all variants of a product, at most 100."""
    hidden, with_stock = "catalog:write" in scopes, "stock:write" in scopes
    return await lists.list_variants(session, product_id, hidden=hidden, with_stock=with_stock)


@router.post(
    "/products/{product_id}/variants",
    status_code=201,
    summary="Create a variant",
    responses=problem_responses(
        ProductNotFound,
        OptionsDiffer,
        PriceNotWhole,
        VariantExists,
        TooManyVariants,
        IdempotencyKeyInUse,
        IdempotencyKeyReused,
    ),
)
async def create_variant(
    product_id: ProductId,
    request: CreateVariant,
    actor: EditingActor,
    session: DatabaseTransaction,
    key: KeyHeader = None,
) -> VariantView:
    """Create a variant of a product with options. Requires the scope `catalog:write`."""
    idempotent = IdempotentRequest.of(actor.id, f"create_variant {product_id}", key, request)
    return await keys.respond_once(
        session,
        IdempotencyKey,
        idempotent,
        VariantView,
        lambda: edit.create_variant(session, product_id, request, actor),
    )


@router.patch(
    "/variants/{variant_id}",
    summary="Change a variant",
    responses=problem_responses(VariantNotFound, PriceNotWhole, VariantExists, PreconditionFailed),
)
async def update_variant(
    variant_id: VariantId,
    request: UpdateVariant,
    actor: EditingActor,
    session: DatabaseTransaction,
    if_match: VariantIfMatch = None,
) -> VariantView:
    """Change the SKU and the prices of a variant. The prices of existing orders do not change. Requires the scope `catalog:write`."""
    return await edit.update_variant(session, variant_id, request, if_match, actor)


@router.delete(
    "/variants/{variant_id}",
    status_code=204,
    summary="Delete a variant",
    responses=problem_responses(VariantNotFound, DefaultVariant, VariantOrdered, PreconditionFailed),
)
async def delete_variant(
    variant_id: VariantId, actor: EditingActor, session: DatabaseTransaction, if_match: VariantIfMatch = None
) -> None:
    """Delete a variant that no order refers to. Requires the scope `catalog:write`."""
    await edit.delete_variant(session, variant_id, if_match, actor)


@router.post(
    "/variants/{variant_id}/stock-movements",
    status_code=201,
    summary="Change the stock of a variant",
    responses=problem_responses(StockNotFound, StockChanged, StockTooLow, IdempotencyKeyInUse, IdempotencyKeyReused),
)
async def move_variant_stock(
    variant_id: VariantId, request: MoveStock, actor: StockActor, session: DatabaseTransaction, key: RequiredKeyHeader
) -> StockLevelView:
    """Record units of a variant that were received, counted, written off or returned. Requires the scope `stock:write`."""
    return await move_stock_once(session, variant_id, request, key, actor)


@router.get(
    "/variants/{variant_id}/stock", summary="Get the stock of a variant", responses=problem_responses(StockNotFound)
)
async def get_variant_stock(variant_id: VariantId, _: StockKeeper, session: Reading) -> StockLevelView:
    """Return the stock of a variant. Requires the scope `stock:write`."""
    return await get_level(session, variant_id)


@router.patch(
    "/variants/{variant_id}/stock",
    summary="Set the backorder limit of a variant's stock",
    responses=problem_responses(StockNotFound),
)
async def update_variant_stock(
    variant_id: VariantId, request: UpdateStock, actor: StockActor, session: DatabaseTransaction
) -> StockLevelView:
    """Set how many units can be ordered beyond those that are in stock. Requires the scope `stock:write`."""
    return await set_backorder_limit(session, variant_id, request, actor)


@router.delete(
    "/variants/{variant_id}/stock",
    status_code=204,
    summary="Make the stock of a variant unlimited",
    responses=problem_responses(StockNotFound),
)
async def delete_variant_stock(variant_id: VariantId, actor: StockActor, session: DatabaseTransaction) -> None:
    """Make the stock of a variant unlimited: it can be ordered without a limit from now on. Requires the scope `stock:write`."""
    await make_unlimited(session, variant_id, actor)


@router.get(
    "/variants/{variant_id}/stock-movements",
    summary="List the stock movements of a variant",
    responses=problem_responses(InvalidCursor),
)
async def list_variant_stock_movements(
    variant_id: VariantId, _: StockKeeper, session: Reading, limit: Limit = 20, cursor: CursorParam = None
) -> StockMovementPage:
    """Return every change of the stock of a variant, newest first. Requires the scope `stock:write`."""
    return await list_movements(session, variant_id, limit=limit, cursor=cursor)
