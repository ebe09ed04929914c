"""Handle the events that payments consumes: about undeliverable orders and about accounts. Both queues share one inbox."""

from collections.abc import Mapping, Sequence
from typing import Annotated
from uuid import UUID

from pydantic import Field, TypeAdapter
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.events import AccountDeleted, AccountMerged, OrderUndeliverable
from services.payments.customers import account_events
from services.payments.refunds import undeliverable_orders

ConsumedEvent = OrderUndeliverable | AccountDeleted | AccountMerged
EVENT_ADAPTER: TypeAdapter[ConsumedEvent] = TypeAdapter(Annotated[ConsumedEvent, Field(discriminator="type")])


async def handle(session: AsyncSession, events: Sequence[ConsumedEvent]) -> Mapping[UUID, str]:
    """Apply events to payments. Return the reasons of those that need an operator, by event id."""
    orders = [event for event in events if isinstance(event, OrderUndeliverable)]
    accounts = [event for event in events if not isinstance(event, OrderUndeliverable)]
    return {
        **(await undeliverable_orders.handle(session, orders) if orders else {}),
        **(await account_events.handle(session, accounts) if accounts else {}),
    }
