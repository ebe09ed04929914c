"""Routes of refunds. The scope payments:refund is required to request or retry a refund, payments:read to list those of all payments."""

from typing import Annotated
from uuid import UUID

import structlog
from fastapi import Path, Query
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from kit.audit import entries as audit
from kit.audit.actor import Actor
from kit.db.after_commit import after_commit
from kit.http.routing import Router
from kit.idempotency import keys
from kit.idempotency.keys import IdempotencyKeyInUse, IdempotencyKeyReused, IdempotentRequest, RequiredKeyHeader
from kit.observability.tracing import continue_trace
from kit.pagination import CursorParam, InvalidCursor, Limit, decode_cursor, encode_cursor, split_page
from kit.problem_responses import problem_responses
from services.payments.auth import AnyCaller, PaymentsReader, Reference, RefundActor, find_payment
from services.payments.clients import CurrentClients, problem_from_paystack
from services.payments.db import CurrentNotifier, Reading, Topic, sessions
from services.payments.errors import (
    NotConfigured,
    NothingToRefund,
    PaymentNotFound,
    PaymentStatusChanged,
    PaystackUnavailable,
    ReasonNeeded,
    RefundNotAwaitingAccount,
    RefundNotFound,
    RefundNotWhole,
    RefundRefused,
    RefundTooLarge,
)
from services.payments.models import AuditLogEntry, IdempotencyKey, Payment
from services.payments.paystack.errors import PaystackError
from services.payments.refunds import lists, requests
from services.payments.refunds.models import Refund
from services.payments.refunds.schemas import (
    RefundAccount,
    RefundOfPayment,
    RefundPage,
    Refunds,
    RefundView,
    RequestRefund,
)
from services.payments.statuses import RefundStatus

StatusParam = Annotated[
    list[RefundStatus] | None, Query(max_length=10, description="Only refunds with this status; repeat it for several")
]
list_router = Router(prefix="/payments/refunds", tags=["refunds"])
router = Router(prefix="/payments/{reference}/refunds", tags=["refunds"])
log = structlog.get_logger("refunds")


@list_router.get(
    "",
    summary="List the refunds of all payments",
    responses=problem_responses(InvalidCursor),
)
async def list_all_refunds(
    _: PaymentsReader,
    session: Reading,
    status: StatusParam = None,
    limit: Limit = 20,
    cursor: CursorParam = None,
) -> RefundPage:
    """Return the refunds of all payments, newest first. Requires the scope `payments:read`.

    Refunds that were made on Paystack's dashboard are listed too.
    """
    before = None if cursor is None else decode_cursor(cursor, "refunds", int)[0]
    rows = await lists.list_all_refunds(session, status or (), limit + 1, before)
    page, next_cursor = split_page(rows, limit, lambda last: encode_cursor("refunds", last.Refund.number))
    return RefundPage(items=[RefundOfPayment.of(*row) for row in page], next_cursor=next_cursor)


@router.post(
    "",
    status_code=202,
    summary="Request a refund",
    responses=problem_responses(
        PaymentNotFound,
        PaymentStatusChanged,
        NothingToRefund,
        IdempotencyKeyInUse,
        ReasonNeeded,
        RefundTooLarge,
        RefundNotWhole,
        IdempotencyKeyReused,
    ),
)
async def request_refund(
    actor: RefundActor,
    notifier: CurrentNotifier,
    reference: Reference,
    request: RequestRefund,
    idempotency_key: RequiredKeyHeader,
) -> RefundView:
    """Request a refund of `amount`, or with `"all": true` of everything that can be refunded. Requires the scope `payments:refund`.

    Send the status that you saw as `expected_status`: otherwise a refund of a held payment is also requested if another operator has
    accepted the payment meanwhile, and its order is being delivered.

    The refund is sent to Paystack in the background. Paystack may take days; the list of refunds shows the status.
    """
    idempotent = IdempotentRequest.of(actor.id, f"POST /payments/{reference}/refunds", idempotency_key, request)
    async with sessions.begin() as session:

        async def request_new() -> RefundView:
            refund = await requests.request_refund_as_operator(
                session,
                actor,
                reference,
                amount=request.amount,
                reason=request.reason,
                expected_status=request.expected_status,
            )
            await session.refresh(refund)
            after_commit(session, notifier.notify, Topic.REFUNDS)
            return RefundView.model_validate(refund)

        return await keys.respond_once(session, IdempotencyKey, idempotent, RefundView, request_new, status=202)


@router.get("", summary="List the refunds of a payment", responses=problem_responses(PaymentNotFound))
async def list_refunds(
    caller: AnyCaller, session: Reading, reference: Reference, status: StatusParam = None
) -> Refunds:
    """Return the refunds of one of the caller's own payments, oldest first; with the scope `payments:read`, of any payment."""
    payment = await find_payment(session, caller, reference)
    refunds = await lists.list_refunds(session, payment.id)
    shown = [refund for refund in refunds if not status or refund.status in status]
    return Refunds(items=[RefundView.model_validate(refund) for refund in shown])


@router.post(
    "/{refund_id}/retry",
    status_code=202,
    summary="Retry a refund with the payer's bank account",
    responses=problem_responses(
        PaymentNotFound,
        RefundNotFound,
        NotConfigured,
        RefundNotAwaitingAccount,
        RefundRefused,
        PaystackUnavailable,
    ),
)
async def retry_refund(
    actor: RefundActor,
    clients: CurrentClients,
    notifier: CurrentNotifier,
    reference: Reference,
    refund_id: Annotated[UUID, Path(description="Id of the refund")],
    account: RefundAccount,
) -> RefundView:
    """Send a refund with status `needs-attention` to a bank account of the payer. Requires the scope `payments:refund`.

    Paystack sets this status if the money cannot be returned to the card or account that paid.
    """
    paystack = clients.paystack
    payment, refund = await _record_retry(actor, reference, refund_id, account)
    try:
        await paystack.refunds.retry(
            refund.paystack_id or 0,
            currency=refund.currency,
            account_number=account.account_number,
            bank_id=account.bank_id,
        )
    except PaystackError as error:
        raise problem_from_paystack(error, RefundRefused) from error
    finally:
        # Also after an error: Paystack may have carried out a request whose response was lost.
        async with sessions.begin() as session:
            due = update(Payment).where(Payment.id == payment.id).values(refunds_next_attempt_at=func.now())
            await session.execute(due)
        notifier.notify(Topic.REFUNDS)
    return RefundView.model_validate(refund)


async def _record_retry(
    actor: Actor, reference: str, refund_id: UUID, account: RefundAccount
) -> tuple[Payment, Refund]:
    """Record a retry in the audit log and in the log, and return the payment and the refund.

    This is committed before Paystack is called, so that the audit log names the operator who chose the account even if the call fails.
    Raises PaymentNotFound, RefundNotFound, RefundNotAwaitingAccount.
    """
    chosen = {"account_ends": account.account_number[-4:], "bank_id": account.bank_id}
    async with sessions.begin() as session:
        payment = await _find_payment(session, reference)
        refund = await _find_refund_awaiting_account(session, payment, refund_id)
        after = {"refund": str(refund_id), **chosen}
        await audit.record(session, AuditLogEntry, actor, "refund.retried", reference, after=after)
    with continue_trace(payment.traceparent):
        log.warning(
            "refund retry requested",
            **requests.log_fields(payment),
            refund=str(refund_id),
            **chosen,
            by=actor.id,
        )
    return payment, refund


async def _find_payment(session: AsyncSession, reference: str) -> Payment:
    payment = (await session.execute(select(Payment).where(Payment.reference == reference))).scalar_one_or_none()
    if payment is None:
        raise PaymentNotFound
    return payment


async def _find_refund_awaiting_account(session: AsyncSession, payment: Payment, refund_id: UUID) -> Refund:
    refund = await lists.find_refund(session, payment.id, refund_id)
    if refund is None:
        raise RefundNotFound
    if refund.status != RefundStatus.NEEDS_ATTENTION:
        raise RefundNotAwaitingAccount(
            f"Only a refund with status needs-attention can be sent to a bank account, and this one is {refund.status}."
        )
    return refund
