"""Addresses of orders. They are personal data: they have their own table, are never part of the stored response to an idempotency key, and
are erased when they are not needed any more.
"""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints
from sqlalchemy import ColumnElement, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from kit.fields import Line, Pattern
from kit.schemas import RequestModel, ResponseModel, example
from services.catalog.orders.countries import Country
from services.catalog.orders.models import Fulfilment, OrderAddress

RETENTION_MONTHS = 24
BATCH = 1000

ShortLine = Annotated[Line, StringConstraints(max_length=100)]
PostalCode = Annotated[
    str,
    Pattern(
        r"^[A-Za-z0-9](?:[A-Za-z0-9 -]{0,18}[A-Za-z0-9])?$",
        "must be a postal code: 1 to 20 letters, digits, spaces and hyphens, with a letter or digit at both ends",
    ),
]
Phone = Annotated[
    str,
    Pattern(
        r"^\+?[0-9](?:[0-9 ()./-]{1,28}[0-9])$",
        "must be a phone number: 3 to 30 digits, spaces and the signs ( ) . / -, with a digit at both ends, after an optional +",
    ),
]

EXAMPLE = {
    "name": "Ada Obi",
    "lines": ["12 Broad Street", "Flat 3"],
    "city": "Lagos",
    "region": "Lagos State",
    "postal_code": "101233",
    "country": "NG",
    "phone": "+234 801 234 5678",
}


class AddressFields(RequestModel):
    """Where to ship an order. Only the fields that every country has are required."""

    model_config = example(EXAMPLE)

    name: ShortLine = Field(description="Name of the person or company that receives the parcel")
    lines: list[ShortLine] = Field(min_length=1, max_length=4, description="Street, house, flat: one to four lines")
    city: ShortLine = Field(description="City or town")
    region: ShortLine | None = Field(default=None, description="State, province or region")
    postal_code: PostalCode | None = Field(default=None, description="Postal code, in countries that have them")
    country: Country = Field(description="ISO 3166-1 alpha-2 code, such as NG")
    phone: Phone | None = Field(default=None, description="Telephone number for the carrier")


class AddressView(ResponseModel):
    model_config = example(EXAMPLE)

    name: str = Field(description="Name of the person or company that receives the parcel")
    lines: list[str] = Field(description="Street, house, flat")
    city: str = Field(description="City or town")
    region: str | None = Field(description="State, province or region, or null")
    postal_code: str | None = Field(description="Postal code, or null")
    country: str = Field(description="ISO 3166-1 alpha-2 code")
    phone: str | None = Field(description="Telephone number for the carrier, or null")


FIELDS = tuple(AddressView.model_fields)
COLUMNS = tuple(getattr(OrderAddress, field) for field in FIELDS)


async def store_address(session: AsyncSession, order_id: UUID, address: AddressFields) -> AddressView:
    """Insert the address of a new order."""
    await session.execute(insert(OrderAddress).values(order_id=order_id, **address.model_dump()))
    return AddressView.model_validate(address)


async def load_addresses(session: AsyncSession, order_ids: Sequence[UUID]) -> dict[UUID, AddressView]:
    """Return the addresses of the orders that have one."""
    if not order_ids:
        return {}
    query = select(OrderAddress.order_id, *COLUMNS).where(OrderAddress.order_id.in_(order_ids))
    return {row.order_id: AddressView.model_validate(row) for row in await session.execute(query)}


async def erase_addresses(session: AsyncSession, which: ColumnElement[bool], limit: int | None = None) -> list[UUID]:
    """Delete the addresses that meet a condition, and the tracking numbers of their orders. Return the ids of the orders.

    With a `limit`, addresses that another transaction deletes are skipped.
    """
    found = select(OrderAddress.order_id).where(which).order_by(OrderAddress.order_id)
    locked = found.limit(limit).with_for_update(skip_locked=limit is not None)
    ids = list((await session.execute(locked)).scalars())
    if ids:
        await session.execute(delete(OrderAddress).where(OrderAddress.order_id.in_(ids)))
        tracked = update(Fulfilment).where(Fulfilment.order_id.in_(ids), Fulfilment.tracking.is_not(None))
        await session.execute(tracked.values(tracking=None).execution_options(synchronize_session=False))
    return ids


async def prune(session: AsyncSession, limit: int = BATCH) -> int:
    """Erase up to `limit` addresses of orders that were placed more than RETENTION_MONTHS ago. Return their number."""
    before = func.now() - func.make_interval(0, RETENTION_MONTHS)
    return len(await erase_addresses(session, OrderAddress.created_at < before, limit))
