"""Who may call payments: dependencies for its routes."""

from typing import Annotated

from fastapi import Depends, Path
from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from kit.auth import Caller, authenticate, require_scope
from services.payments.errors import PaymentNotFound
from services.payments.models import Payment

AnyCaller = Annotated[Caller, Depends(authenticate)]
Payer = Annotated[Caller, Depends(require_scope("payments:write"))]
Reading = Annotated[Caller, Depends(require_scope("payments:read"))]
Refunding = Annotated[Caller, Depends(require_scope("payments:refund"))]
Deciding = Annotated[Caller, Depends(require_scope("payments:decide"))]

Reference = Annotated[str, Path(pattern=r"^[A-Za-z0-9.=_-]{1,200}$", description="The payment's reference")]


def payments_of(caller: Caller) -> Select[Payment]:
    """Those that the caller may see: their own, or all with the scope payments:read."""
    query = select(Payment)
    return query if "payments:read" in caller.scopes else query.where(Payment.payer_id == caller.id)


async def find_payment(session: AsyncSession, caller: Caller, reference: str) -> Payment:
    """One of those. Raises PaymentNotFound."""
    found = (await session.execute(payments_of(caller).where(Payment.reference == reference))).scalar_one_or_none()
    if found is None:
        raise PaymentNotFound
    return found
