"""The routes of stock. A product without options has one variant, with the id of the product."""

from typing import Annotated
from uuid import UUID

from fastapi import Path
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from kit.audit.actor import Actor
from kit.http.routing import Router
from kit.idempotency import keys
from kit.idempotency.keys import IdempotencyKeyInUse, IdempotencyKeyReused, IdempotentRequest, RequiredKeyHeader
from kit.pagination import CursorParam, InvalidCursor, Limit, decode_cursor, encode_cursor, split_page
from kit.problem_responses import problem_responses
from services.catalog.auth import StockActor, StockKeeper
from services.catalog.db import DatabaseTransaction, Reading
from services.catalog.models import IdempotencyKey
from services.catalog.stock import edit, unlimited
from services.catalog.stock.errors import StockChanged, StockNotFound, StockTooLow
from services.catalog.stock.models import StockMovement
from services.catalog.stock.schemas import MoveStock, StockLevelView, StockMovementPage, StockMovementView, UpdateStock

router = Router(prefix="/catalog/products/{product_id}", tags=["stock"])

LIST_NAME = "stock movements"
"""A cursor is valid only for the list with this name."""

ProductId = Annotated[UUID, Path(description="Id of the product")]


@router.post(
    "/stock-movements",
    status_code=201,
    summary="Change the stock of a product",
    responses=problem_responses(StockNotFound, StockChanged, StockTooLow, IdempotencyKeyInUse, IdempotencyKeyReused),
)
async def move_stock(
    product_id: ProductId, request: MoveStock, actor: StockActor, session: DatabaseTransaction, key: RequiredKeyHeader
) -> StockLevelView:
    """Record units that were received, counted, written off or returned. Requires the scope `stock:write`.

    The first units of a product with unlimited stock make it limited. Paid orders that wait for units get them first.
    """
    return await move_stock_once(session, product_id, request, key, actor)


async def move_stock_once(
    session: AsyncSession, variant_id: UUID, request: MoveStock, key: str, actor: Actor
) -> StockLevelView:
    """Change the stock of a variant, or return the stored response of a repeated request."""
    idempotent = IdempotentRequest.of(actor.id, f"move_stock {variant_id}", key, request)
    return await keys.respond_once(
        session,
        IdempotencyKey,
        idempotent,
        StockLevelView,
        lambda: edit.move_stock(session, variant_id, request, key, actor),
    )


@router.get("/stock", summary="Get the stock of a product", responses=problem_responses(StockNotFound))
async def get_stock(product_id: ProductId, _: StockKeeper, session: Reading) -> StockLevelView:
    """Return the stock of a product. Requires the scope `stock:write`."""
    return await edit.get_level(session, product_id)


@router.patch(
    "/stock", summary="Set the backorder limit of a product's stock", responses=problem_responses(StockNotFound)
)
async def update_stock(
    product_id: ProductId, request: UpdateStock, actor: StockActor, session: DatabaseTransaction
) -> StockLevelView:
    """Set how many units can be ordered beyond those that are in stock. Paid orders get units as they are received.

    Requires the scope `stock:write`.
    """
    return await edit.set_backorder_limit(session, product_id, request, actor)


@router.delete(
    "/stock",
    status_code=204,
    summary="Make the stock of a product unlimited",
    responses=problem_responses(StockNotFound),
)
async def delete_stock(product_id: ProductId, actor: StockActor, session: DatabaseTransaction) -> None:
    """Make the stock of a product unlimited: it can be ordered without a limit from now on, and all reservations of it end.

    The history of its movements stays. The next received units make the stock limited again. Requires the scope `stock:write`.
    """
    await unlimited.make_unlimited(session, product_id, actor)


@router.get(
    "/stock-movements", summary="List the stock movements of a product", responses=problem_responses(InvalidCursor)
)
async def list_stock_movements(
    product_id: ProductId, _: StockKeeper, session: Reading, limit: Limit = 20, cursor: CursorParam = None
) -> StockMovementPage:
    """Return every change of the stock of a product, newest first. Requires the scope `stock:write`."""
    return await list_movements(session, product_id, limit=limit, cursor=cursor)


async def list_movements(
    session: AsyncSession, variant_id: UUID, *, limit: int, cursor: str | None
) -> StockMovementPage:
    """Return a page of the movements of a variant, newest first. Raises InvalidCursor."""
    query = select(StockMovement).where(StockMovement.variant_id == variant_id)
    if cursor is not None:
        query = query.where(StockMovement.id < decode_cursor(cursor, LIST_NAME, int)[0])
    rows = (await session.execute(query.order_by(StockMovement.id.desc()).limit(limit + 1))).scalars().all()
    page, next_cursor = split_page(rows, limit, lambda row: encode_cursor(LIST_NAME, row.id))
    return StockMovementPage(items=[StockMovementView.model_validate(row) for row in page], next_cursor=next_cursor)
