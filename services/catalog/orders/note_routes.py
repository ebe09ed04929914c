"""The routes of notes about orders."""

from typing import Annotated

from fastapi import Path

from kit.http.routing import Router
from kit.idempotency import keys
from kit.idempotency.keys import IdempotencyKeyInUse, IdempotencyKeyReused, IdempotentRequest, KeyHeader
from kit.pagination import CursorParam, InvalidCursor, Limit
from kit.problem_responses import problem_responses
from services.catalog.auth import OrdersActor, OrdersReader
from services.catalog.db import DatabaseTransaction, Reading
from services.catalog.models import IdempotencyKey
from services.catalog.orders import notes
from services.catalog.orders.errors import OrderNotFound, TooManyNotes
from services.catalog.orders.notes import AddOrderNote, OrderNotePage, OrderNoteView
from services.catalog.orders.numbers import OrderIdOrNumber

router = Router(prefix="/catalog/orders/{order_id}/notes", tags=["orders"])

OrderId = Annotated[OrderIdOrNumber, Path(description="Id or number of the order")]


@router.post(
    "",
    status_code=201,
    summary="Add a note to an order",
    responses=problem_responses(OrderNotFound, TooManyNotes, IdempotencyKeyInUse, IdempotencyKeyReused),
)
async def add_order_note(
    order_id: OrderId, request: AddOrderNote, actor: OrdersActor, session: DatabaseTransaction, key: KeyHeader = None
) -> OrderNoteView:
    """Add a note for other staff. It cannot be changed or deleted, and customers do not see it. Requires the scope `orders:manage`."""
    idempotent = IdempotentRequest.of(actor.id, f"add_order_note {order_id}", key, request)
    return await keys.respond_once(
        session, IdempotencyKey, idempotent, OrderNoteView, lambda: notes.add_note(session, order_id, request, actor)
    )


@router.get("", summary="List the notes about an order", responses=problem_responses(OrderNotFound, InvalidCursor))
async def list_order_notes(
    order_id: OrderId, _: OrdersReader, session: Reading, limit: Limit = 20, cursor: CursorParam = None
) -> OrderNotePage:
    """Return the notes about an order, newest first: those of staff, and those about rejected bank transfers. Requires the scope
    `orders:read`.
    """
    return await notes.list_notes(session, order_id, limit=limit, cursor=cursor)
