"""Keep the stock of a pending order reserved as long as one of its payments can be completed.

payment.started extends the order's `expires_at`, payment.failed and payment.abandoned end the extension of their payment. The events may be
repeated and in any sequence: a payment that has failed extends nothing any more. Events about orders that are not pending change nothing.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import structlog
from sqlalchemy import ARRAY, DateTime, Text, Uuid, any_, bindparam, cast, select, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.events import PaymentAbandoned, PaymentFailed, PaymentStarted
from contracts.money import format_money
from kit.db.after_commit import after_commit
from kit.db.bulk import array_parameters, array_values, table_of
from kit.db.locks import for_no_key_update
from kit.observability.tracing import trace_id_of
from services.catalog.order_models import Order
from services.catalog.orders.limits import find_within_limits
from services.catalog.settings import settings
from services.catalog.statuses import OrderStatus

ReservationEvent = PaymentStarted | PaymentFailed | PaymentAbandoned
"""The events that change how long the stock of an order is reserved."""

MAX_PAYMENTS = 200
"""The maximum number of payments of an order that are remembered. Further ones do not extend its reservation."""


class LockedOrder(NamedTuple):
    """The columns of an order that this module reads under the row lock."""

    id: UUID
    status: OrderStatus
    amount: int
    currency: str
    created_at: datetime
    expires_at: datetime
    first_expires_at: datetime | None
    payment_ends: dict[str, str | None]


ORDERS = table_of(Order)
LOCK = for_no_key_update(
    select(*(ORDERS.c[name] for name in LockedOrder._fields))
    .where(ORDERS.c.id == any_(bindparam("ids", type_=ARRAY(Uuid))))
    .order_by(ORDERS.c.id)
)
_changed = array_parameters(
    id=Uuid, expires_at=DateTime(timezone=True), first_expires_at=DateTime(timezone=True), payment_ends=Text
)
UPDATE = (
    update(ORDERS)
    .where(ORDERS.c.id == _changed.c.id)
    .values(
        expires_at=_changed.c.expires_at,
        first_expires_at=_changed.c.first_expires_at,
        payment_ends=cast(_changed.c.payment_ends, JSONB),
    )
)

log = structlog.get_logger("orders")


@dataclass(slots=True)
class Reservation:
    """The reservation of an order. `first_end`: its end without payments. `latest_end`: payments extend it at most until then.

    `payment_ends`: until when each payment can be completed, by reference; None for one that has failed or was abandoned.
    """

    first_end: datetime
    latest_end: datetime
    payment_ends: dict[str, datetime | None]

    def apply(self, event: ReservationEvent) -> None:
        """Apply an event about a payment of the order."""
        reference = event.data.reference
        if reference not in self.payment_ends and len(self.payment_ends) >= MAX_PAYMENTS:
            return
        if not isinstance(event, PaymentStarted):
            self.payment_ends[reference] = None
            return
        end = event.data.payable_until or self.latest_end
        known = self.payment_ends.get(reference, end)
        self.payment_ends[reference] = None if known is None else max(known, end)

    @property
    def end(self) -> datetime:
        """The end of the reservation: its own, or the latest end of the payments that can be completed."""
        ends = [min(end, self.latest_end) for end in self.payment_ends.values() if end is not None]
        return max([self.first_end, *ends])


async def lock_orders(session: AsyncSession, order_ids: Collection[UUID]) -> list[LockedOrder]:
    """Lock orders in the order of their ids, and return those that exist."""
    return [LockedOrder(*row) for row in await session.execute(LOCK, {"ids": list(order_ids)})]


async def handle(session: AsyncSession, events: Sequence[ReservationEvent]) -> Mapping[UUID, str]:
    """Extend and shorten the reservations of pending orders. Return the contradictions by event id."""
    rows = {row.id: row for row in await lock_orders(session, {event.data.order_id for event in events})}
    contradictions: dict[UUID, str] = {}
    reservations: dict[UUID, Reservation] = {}
    for event in events:
        order_id = event.data.order_id
        row = rows.get(order_id)
        if row is not None and (contradiction := _find_contradiction(row, event)):
            contradictions[event.id] = contradiction
        elif row is not None and row.status == OrderStatus.PENDING:
            reservations.setdefault(order_id, _reservation(row)).apply(event)
        else:
            status = None if row is None else row.status
            after_commit(session, log.info, "event ignored", **_log_fields(event), order_status=status)
    if reservations:
        ends = await _store(session, rows, reservations)
        for event in events:
            end = ends.get(event.data.order_id)
            if end is not None and event.id not in contradictions:
                fields = {**_log_fields(event), "expires_at": end.isoformat(timespec="seconds")}
                after_commit(session, log.info, "reservation changed", **fields)
    return contradictions


def _find_contradiction(row: LockedOrder, event: ReservationEvent) -> str | None:
    data = event.data
    if (row.amount, row.currency) == (data.amount, data.currency):
        return None
    stated, known = format_money(data.amount, data.currency), format_money(row.amount, row.currency)
    return f"the event states {stated}; the amount of order {row.id} is {known}"


def _reservation(row: LockedOrder) -> Reservation:
    ends = {
        reference: None if end is None else datetime.fromisoformat(end) for reference, end in row.payment_ends.items()
    }
    longest = timedelta(seconds=settings.catalog_max_reservation_seconds)
    return Reservation(row.first_expires_at or row.expires_at, row.created_at + longest, ends)


async def _store(
    session: AsyncSession, rows: Mapping[UUID, LockedOrder], reservations: Mapping[UUID, Reservation]
) -> dict[UUID, datetime]:
    """Store the reservations. Return the new ends of those whose end has changed."""
    ends = {order_id: reservation.end for order_id, reservation in reservations.items()}
    longer = [order_id for order_id, end in ends.items() if end > rows[order_id].expires_at]
    for order_id in set(longer) - await find_within_limits(session, longer):
        ends[order_id] = rows[order_id].expires_at
    ids = sorted(reservations)
    stored = [
        {reference: end and end.isoformat() for reference, end in reservations[order_id].payment_ends.items()}
        for order_id in ids
    ]
    values = array_values(
        id=ids,
        expires_at=[ends[order_id] for order_id in ids],
        first_expires_at=[reservations[order_id].first_end for order_id in ids],
        payment_ends=[json.dumps(each) for each in stored],
    )
    await session.execute(UPDATE, values)
    return {order_id: end for order_id, end in ends.items() if end != rows[order_id].expires_at}


def _log_fields(event: ReservationEvent) -> dict[str, object]:
    fields: dict[str, object] = {
        "event_type": event.type,
        "order_id": event.subject,
        "reference": event.data.reference,
        "event_id": str(event.id),
    }
    return {**fields, "trace_id": trace_id_of(event.traceparent)} if event.traceparent else fields
