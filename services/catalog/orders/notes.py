"""Notes about an order: who wrote what, and when. They are never changed, and customers do not see them.

Staff write them, and the payments service if a bank transfer was rejected (rejected_transfers.py).
"""

from datetime import datetime

from pydantic import Field
from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from kit.audit import entries as audit
from kit.audit.actor import Actor
from kit.db.locks import for_no_key_update
from kit.fields import NonEmptyParagraph
from kit.pagination import decode_cursor, encode_cursor, split_page
from kit.schemas import PageResponse, RequestModel, ResponseModel, example
from services.catalog.models import AuditLogEntry
from services.catalog.order_models import Order
from services.catalog.orders.errors import OrderNotFound, TooManyNotes
from services.catalog.orders.models import OrderNote
from services.catalog.orders.numbers import has_id_or_number

MAX_NOTES = 500
LIST_NAME = "order notes"
"""A cursor is valid only for the list with this name."""


class AddOrderNote(RequestModel):
    model_config = example({"text": "Called: please leave the parcel with the neighbour."})

    text: NonEmptyParagraph = Field(description="Text of the note. It cannot be changed later")


class OrderNoteView(ResponseModel):
    model_config = example(
        {
            "id": 12,
            "author": "7a0c1c3e-3c7e-4f0e-9a53-0f4c8e3b7c55",
            "text": "Called: please leave the parcel with the neighbour.",
            "created_at": "2026-03-01T09:35:00Z",
        }
    )

    id: int = Field(description="Id of the note")
    author: str = Field(
        description="Account or program that wrote the note; `payments` if it is about a rejected bank transfer"
    )
    text: str = Field(description="Text of the note")
    created_at: datetime = Field(description="When the note was written")


class OrderNotePage(PageResponse[OrderNoteView]):
    """One page of notes about an order."""


async def add_note(session: AsyncSession, id_or_number: str, request: AddOrderNote, actor: Actor) -> OrderNoteView:
    """Add a note to the order with this id or number. Raises OrderNotFound, TooManyNotes."""
    locked = for_no_key_update(select(Order.id).where(has_id_or_number(id_or_number)))
    order_id = await session.scalar(locked)
    if order_id is None:
        raise OrderNotFound
    count = select(func.count()).select_from(OrderNote).where(OrderNote.order_id == order_id)
    if (await session.execute(count)).scalar_one() >= MAX_NOTES:
        raise TooManyNotes(limit=MAX_NOTES)
    row = insert(OrderNote).values(order_id=order_id, author=actor.id, text=request.text).returning(OrderNote)
    note = (await session.execute(row)).scalar_one()
    await audit.record(session, AuditLogEntry, actor, "order.note_added", order_id, after={"note": note.id})
    return OrderNoteView.model_validate(note)


async def list_notes(session: AsyncSession, id_or_number: str, *, limit: int, cursor: str | None) -> OrderNotePage:
    """Return a page of the notes about an order, newest first. Raises OrderNotFound, InvalidCursor."""
    order_id = await session.scalar(select(Order.id).where(has_id_or_number(id_or_number)))
    if order_id is None:
        raise OrderNotFound
    query = select(OrderNote).where(OrderNote.order_id == order_id)
    if cursor is not None:
        query = query.where(OrderNote.id < decode_cursor(cursor, LIST_NAME, int)[0])
    rows = (await session.execute(query.order_by(OrderNote.id.desc()).limit(limit + 1))).scalars().all()
    page, next_cursor = split_page(rows, limit, lambda row: encode_cursor(LIST_NAME, row.id))
    return OrderNotePage(items=[OrderNoteView.model_validate(row) for row in page], next_cursor=next_cursor)
