"""Load what staff did with units of orders."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, bindparam, column, func, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from kit.db.sql_types import AnyRow
from kit.pagination import decode_cursor, encode_cursor, split_page
from services.catalog.orders.models import Fulfilment
from services.catalog.orders.schemas import MAX_FULFILMENTS, FulfilmentItem, FulfilmentPage, FulfilmentView

LIST_NAME = "fulfilments"
"""A cursor is valid only for the list with this name."""

COLUMNS = (
    Fulfilment.id,
    Fulfilment.order_id,
    Fulfilment.step,
    Fulfilment.items,
    Fulfilment.tracking,
    Fulfilment.created_at,
)
_requested = func.unnest(bindparam("orders", type_=ARRAY(Uuid))).table_valued(column("order_id", Uuid)).render_derived()
_newest = (
    select(*COLUMNS)
    .where(Fulfilment.order_id == _requested.c.order_id)
    .order_by(Fulfilment.id.desc())
    .limit(MAX_FULFILMENTS)
    .lateral("newest")
)
NEWEST = select(_newest).select_from(_requested).join(_newest, true()).order_by(_newest.c.id.desc())


def view_of(row: AnyRow) -> FulfilmentView:
    """Return the response for a row of COLUMNS."""
    items = [FulfilmentItem(variant_id=UUID(variant), quantity=quantity) for variant, quantity in row.items.items()]
    return FulfilmentView(
        id=row.id,
        order_id=row.order_id,
        step=row.step,
        items=items,
        tracking=row.tracking,
        created_at=row.created_at,
    )


async def load_fulfilments(session: AsyncSession, order_ids: Sequence[UUID]) -> dict[UUID, list[FulfilmentView]]:
    """Return the newest fulfilments of each of these orders, newest first."""
    found: dict[UUID, list[FulfilmentView]] = {}
    if order_ids:
        for row in await session.execute(NEWEST, {"orders": list(order_ids)}):
            found.setdefault(row.order_id, []).append(view_of(row))
    return found


async def list_fulfilments(session: AsyncSession, order_id: UUID, limit: int, cursor: str | None) -> FulfilmentPage:
    """Return a page of the fulfilments of an order, newest first. Raises InvalidCursor."""
    query = select(*COLUMNS).where(Fulfilment.order_id == order_id)
    if cursor is not None:
        query = query.where(Fulfilment.id < decode_cursor(cursor, LIST_NAME, int)[0])
    rows = (await session.execute(query.order_by(Fulfilment.id.desc()).limit(limit + 1))).all()
    page, next_cursor = split_page(rows, limit, lambda row: encode_cursor(LIST_NAME, row.id))
    return FulfilmentPage(items=[view_of(row) for row in page], next_cursor=next_cursor)
