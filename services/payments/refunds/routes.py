"""What those may ask who hold the scope payments:refund."""

from typing import Annotated
from uuid import UUID

import structlog
from fastapi import APIRouter, Path
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from kit.errors import NotAllowed, NotAuthenticated, problem_responses
from kit.idempotency import keys
from kit.idempotency.keys import IdempotencyKeyInUse, IdempotencyKeyReused, IdempotentRequest, KeyHeader
from services.payments.auth import AnyCaller, Reference, RefundOperator, find_payment
from services.payments.clients import CurrentClients, problem_from_paystack
from services.payments.db import CurrentNotifier, Topic, Transaction, sessions
from services.payments.errors import (
    NotConfigured,
    NothingToRefund,
    PaymentNotFound,
    PaymentRefused,
    PaystackUnavailable,
    ReasonNeeded,
    RefundNotAwaitingAccount,
    RefundNotFound,
    RefundTooLarge,
)
from services.payments.models import IdempotencyKey, Payment
from services.payments.paystack.errors import PaystackError
from services.payments.refunds import requests
from services.payments.refunds.models import Refund, RefundStatus
from services.payments.refunds.schemas import RefundAccount, Refunds, RefundView, RequestRefund

router = APIRouter(prefix="/payments/{reference}/refunds", tags=["refunds"])
log = structlog.get_logger("refunds")


@router.post(
    "",
    status_code=202,
    responses=problem_responses(
        NotAuthenticated,
        NotAllowed,
        PaymentNotFound,
        NothingToRefund,
        IdempotencyKeyInUse,
        ReasonNeeded,
        RefundTooLarge,
        IdempotencyKeyReused,
    ),
)
async def request(
    caller: RefundOperator,
    notifier: CurrentNotifier,
    reference: Reference,
    asked: RequestRefund | None = None,
    idempotency_key: KeyHeader = None,
) -> RefundView:
    """Give money back: an amount, or all that is left. It is carried out at Paystack in the background, and may take days."""
    asked = asked or RequestRefund()
    intent = IdempotentRequest.of(caller.id, f"POST /payments/{reference}/refunds", idempotency_key, asked)
    async with sessions.begin() as session:
        kept = await keys.begin(session, IdempotencyKey, intent)
        if kept is not None:
            return RefundView.model_validate(kept.body)
        refund = await requests.request_refund(
            session, reference, amount=asked.amount, reason=asked.reason, requested_by=caller.id
        )
        await session.refresh(refund)
        view = RefundView.model_validate(refund)
        await keys.store_response(session, IdempotencyKey, intent, 202, view)
    notifier.notify(Topic.REFUNDS)
    return view


@router.get("", responses=problem_responses(NotAuthenticated, PaymentNotFound))
async def read(caller: AnyCaller, session: Transaction, reference: Reference) -> Refunds:
    """The refunds of a payment, one's own or anybody's with the scope payments:read, oldest first."""
    found = await requests.list_refunds(session, (await find_payment(session, caller, reference)).id)
    return Refunds(items=[RefundView.model_validate(refund) for refund in found])


@router.post(
    "/{refund_id}/retry",
    status_code=202,
    responses=problem_responses(
        NotAuthenticated,
        NotAllowed,
        PaymentNotFound,
        RefundNotFound,
        NotConfigured,
        RefundNotAwaitingAccount,
        PaymentRefused,
        PaystackUnavailable,
    ),
)
async def retry(
    caller: RefundOperator,
    clients: CurrentClients,
    notifier: CurrentNotifier,
    reference: Reference,
    refund_id: Annotated[UUID, Path()],
    account: RefundAccount,
) -> RefundView:
    """Send a refund that needs attention to the payer's account."""
    async with sessions() as session:
        refund = await _waiting(session, reference, refund_id)
    paystack = clients.paystack
    # Money goes where this caller says: who it was, and where to, is found again.
    log.warning(
        "a refund is sent to an account",
        reference=reference,
        refund=str(refund_id),
        account_ends=account.account_number[-4:],
        bank_id=account.bank_id,
        by=caller.id,
    )
    try:
        await paystack.refunds.retry(
            refund.paystack_id or 0,
            currency=refund.currency,
            account_number=account.account_number,
            bank_id=account.bank_id,
        )
    except PaystackError as error:
        raise problem_from_paystack(error) from error
    finally:
        # Also where the answer is lost: it may have been done.
        async with sessions.begin() as session:
            soon = update(Payment).where(Payment.id == refund.payment_id).values(refunds_next_attempt_at=func.now())
            await session.execute(soon)
        notifier.notify(Topic.REFUNDS)
    return RefundView.model_validate(refund)


async def _payment_id(session: AsyncSession, reference: str) -> int:
    found = (await session.execute(select(Payment.id).where(Payment.reference == reference))).scalar_one_or_none()
    if found is None:
        raise PaymentNotFound
    return found


async def _waiting(session: AsyncSession, reference: str, refund_id: UUID) -> Refund:
    refund = await requests.find_refund(session, await _payment_id(session, reference), refund_id)
    if refund is None:
        raise RefundNotFound
    if refund.status != RefundStatus.NEEDS_ATTENTION:
        raise RefundNotAwaitingAccount(f"The refund is {refund.status}.")
    return refund
