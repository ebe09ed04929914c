"""Handle the events that catalog consumes: about payments and about accounts. Both queues share one inbox."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.events import AccountChanged, AccountDeleted, AccountEvent, AccountMerged, Event, PaymentTransferRejected
from services.catalog.customers import account_events
from services.catalog.fulfilment import deliver
from services.catalog.orders import rejected_transfers, reservations
from services.catalog.orders.reservations import ReservationEvent


async def handle(session: AsyncSession, events: Sequence[Event]) -> Mapping[UUID, str]:
    """Apply events to orders. Return the reasons of those that need an operator, by event id."""
    accounts: list[AccountEvent] = []
    transfers: list[PaymentTransferRejected] = []
    reservation_events: list[ReservationEvent] = []
    others: list[Event] = []
    for event in events:
        if isinstance(event, AccountChanged | AccountDeleted | AccountMerged):
            accounts.append(event)
        elif isinstance(event, PaymentTransferRejected):
            transfers.append(event)
        elif isinstance(event, ReservationEvent):
            reservation_events.append(event)
        else:
            others.append(event)
    if reservation_events and others:
        # In one statement, so that workers lock orders in the same sequence.
        await reservations.lock_orders(session, {UUID(event.subject) for event in (*reservation_events, *others)})
    # `deliver.handle` runs first: an order that it delivers needs no reservation any more.
    return {
        **(await deliver.handle(session, others) if others else {}),
        **(await reservations.handle(session, reservation_events) if reservation_events else {}),
        **(await rejected_transfers.handle(session, transfers) if transfers else {}),
        **(await account_events.handle(session, accounts) if accounts else {}),
    }
