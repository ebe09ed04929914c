"""Erase what identifies a customer of a program from its orders. The orders themselves stay, with amounts, times and items."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from kit.audit import entries as audit
from kit.audit.actor import Actor
from kit.db.locks import for_no_key_update
from kit.program_customers import EraseCustomer
from services.catalog.models import AuditLogEntry, IdempotencyKey
from services.catalog.order_models import Order
from services.catalog.orders.addresses import erase_addresses
from services.catalog.orders.models import OrderAddress

BATCH = 1000
ERASED_ORDER: dict[str, object] = {
    "customer_email": None,
    "customer_name": None,
    "customer_phone": None,
    "customer_external_id": None,
    "client_metadata": {},
}


async def erase_customer(session: AsyncSession, program: str, request: EraseCustomer, actor: Actor) -> int:
    """Erase a customer of this program, and return the number of orders that had something to erase.

    E-mail address, name, telephone number, external id, metadata, address and tracking numbers are erased, and so are the stored responses
    to idempotency keys, which contain them. Repeating it changes nothing.
    """
    same = []
    if request.external_id is not None:
        same.append(Order.customer_external_id == request.external_id)
    if request.email is not None:
        same.append(func.lower(Order.customer_email) == func.lower(request.email))
    # In the order of the ids, like all statements that lock several orders.
    found = select(Order.id).where(Order.placed_by_program, Order.customer_id == program, or_(*same))
    found = for_no_key_update(found.order_by(Order.id).limit(BATCH))
    erased = 0
    while ids := (await session.execute(found)).scalars().all():
        await _erase(session, program, ids)
        erased += len(ids)
    if erased:
        await audit.record(session, AuditLogEntry, actor, "customer.erased", program, after={"orders": erased})
    return erased


async def _erase(session: AsyncSession, program: str, ids: Sequence[UUID]) -> None:
    await session.execute(update(Order).where(Order.id.in_(ids)).values(ERASED_ORDER))
    await erase_addresses(session, OrderAddress.order_id.in_(ids))
    order_id = func.jsonb_extract_path_text(IdempotencyKey.body, "id")
    await session.execute(
        delete(IdempotencyKey)
        .where(IdempotencyKey.caller == program, order_id.in_([str(each) for each in ids]))
        .execution_options(synchronize_session=False)
    )
