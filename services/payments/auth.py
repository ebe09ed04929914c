"""Dependencies that authenticate callers of payments and check their scopes, and queries limited to the payments that a caller can see."""

from typing import Annotated

from fastapi import Depends, Path
from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from kit.audit.actor import Actor
from kit.audit.requests import acting
from kit.auth import Caller, authenticate, require_scope
from kit.errors import raises
from kit.fields import ReferenceText
from services.payments.errors import EmailNotVerified, PaymentNotFound
from services.payments.models import Payment
from services.payments.settings import settings

AnyCaller = Annotated[Caller, Depends(authenticate)]
"""Any caller with a valid access token."""

Customer = Annotated[Caller, Depends(require_scope("payments:write"))]
"""A caller who may pay for orders."""

_may_pay = require_scope("payments:write")


@raises(EmailNotVerified)
async def _verified_customer(caller: Annotated[Caller, Depends(_may_pay)]) -> Caller:
    """Return the caller. Raises EmailNotVerified if PAYMENTS_REQUIRE_VERIFIED_EMAIL is set and the address in the token is not verified."""
    if settings.payments_require_verified_email and not caller.email_verified:
        raise EmailNotVerified
    return caller


@raises(EmailNotVerified)
async def _starter(caller: Annotated[Caller, Depends(require_scope("payments:write", "payments:write_for"))]) -> Caller:
    """Return the caller. A program needs no verified address: its token has none. Raises EmailNotVerified as above."""
    return await _verified_customer(caller) if "payments:write" in caller.scopes else caller


Starter = Annotated[Caller, Depends(_starter)]
"""A VerifiedCustomer, or a program that pays for its customers."""

VerifiedCustomer = Annotated[Caller, Depends(_verified_customer)]
"""A Customer with a verified e-mail address, if PAYMENTS_REQUIRE_VERIFIED_EMAIL demands one."""

PaymentsReader = Annotated[Caller, Depends(require_scope("payments:read"))]
"""A caller who may read all payments, the ledger and the webhook events."""

_may_refund = require_scope("payments:refund")
_may_decide = require_scope("payments:decide")

RefundOperator = Annotated[Caller, Depends(_may_refund)]
"""An operator who may refund payments and respond to disputes."""

ReviewOperator = Annotated[Caller, Depends(_may_decide)]
"""An operator who may decide about held payments and reprocess webhook events."""

RefundActor = Annotated[Actor, Depends(acting(_may_refund))]
"""A RefundOperator, with the IP address for the audit log."""

ReviewActor = Annotated[Actor, Depends(acting(_may_decide))]
"""A ReviewOperator, with the IP address for the audit log."""

Reference = Annotated[ReferenceText, Path(description="Reference of the payment")]


def visible_payments(caller: Caller) -> Select[Payment]:
    """Select the payments that the caller can see: all with the scope payments:read, otherwise the caller's own."""
    query = select(Payment)
    return query if "payments:read" in caller.scopes else query.where(Payment.customer_id == caller.id)


async def find_payment(session: AsyncSession, caller: Caller, reference: str) -> Payment:
    """Return a payment that the caller can see. Raises PaymentNotFound."""
    query = visible_payments(caller).where(Payment.reference == reference)
    payment = (await session.execute(query)).scalar_one_or_none()
    if payment is None:
        raise PaymentNotFound
    return payment
