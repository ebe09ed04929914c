"""Add a note to an order when Paystack rejects a bank transfer of its payer, so that staff can help a payer who asks."""

from collections.abc import Mapping, Sequence
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.events import PaymentTransferRejected, PaymentTransferRejectedData
from contracts.money import format_money
from kit.db.after_commit import after_commit
from kit.db.locks import for_key_share
from services.catalog.order_models import Order
from services.catalog.orders.models import OrderNote

AUTHOR = "payments"
"""The author of these notes: the service that published the event."""

log = structlog.get_logger("orders")


async def handle(session: AsyncSession, events: Sequence[PaymentTransferRejected]) -> Mapping[UUID, str]:
    """Add a note to the order of each event. A repeated event adds none. Return the contradictions by event id.

    The status of the order does not matter. An order that does not exist any more was never paid: nobody needs the note.
    """
    # The lock keeps the orders from being deleted before the notes are inserted.
    locked = select(Order.id, Order.amount, Order.currency).where(
        Order.id.in_({event.data.order_id for event in events})
    )
    rows = await session.execute(for_key_share(locked.order_by(Order.id)))
    orders = {row.id: (row.amount, row.currency) for row in rows}
    contradictions, notes = {}, []
    for event in events:
        data = event.data
        if data.order_id not in orders:
            continue
        if orders[data.order_id] == (data.amount, data.currency):
            notes.append({"order_id": data.order_id, "author": AUTHOR, "text": note_text(data), "event_id": event.id})
        else:
            stated, known = format_money(data.amount, data.currency), format_money(*orders[data.order_id])
            contradictions[event.id] = f"the event states {stated}; the amount of order {data.order_id} is {known}"
    if notes:
        await session.execute(insert(OrderNote).values(notes).on_conflict_do_nothing(index_elements=["event_id"]))
        after_commit(session, _log, notes)
    return contradictions


def note_text(data: PaymentTransferRejectedData) -> str:
    """Return the note: the amount of the transfer, why it was rejected, what the order costs, and what happens to the money."""
    of_amount = "" if data.rejected_amount is None else f" of {format_money(data.rejected_amount, data.currency)}"
    why = ": ".join(text for text in (data.reason, data.message) if text) or "no reason given"
    return (
        f"Paystack rejected a bank transfer{of_amount} for payment {data.reference} ({why}) and returns the money to the payer. "
        f"The payment is for {format_money(data.amount, data.currency)}."
    )


def _log(notes: Sequence[Mapping[str, object]]) -> None:
    for note in notes:
        log.info("note about a rejected transfer added to the order", order_id=str(note["order_id"]))
