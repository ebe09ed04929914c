"""The routes of payments: start, charge a saved card, list, get, verify."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import Query, Request
from sqlalchemy.ext.asyncio import AsyncSession

from kit.account_limit import AccountLimit
from kit.auth import Caller
from kit.fields import ReferenceText, Word
from kit.http.routing import Router
from kit.idempotency.keys import IdempotencyKeyInUse, IdempotencyKeyReused, KeyHeader, RequiredKeyHeader
from kit.idempotency.long_running import CurrentIdempotencyLocks
from kit.pagination import CursorParam, InvalidCursor, Limit, decode_cursor, encode_cursor, split_page
from kit.problem_responses import problem_responses
from services.payments import payment_lists
from services.payments.auth import AnyCaller, Reference, Starter, VerifiedCustomer, find_payment
from services.payments.cards.schemas import ChargeCard
from services.payments.checkout import saved_card, start
from services.payments.clients import CurrentClients
from services.payments.db import Reading, sessions
from services.payments.errors import (
    AmountNotPayable,
    CardNotFound,
    CatalogUnavailable,
    ChannelNotAvailable,
    ChargePending,
    NotConfigured,
    OrderNotFound,
    OrderNotPayable,
    PayerUnknown,
    PaymentNotFound,
    PaymentRefused,
    PaystackUnavailable,
    TooManyPayments,
)
from services.payments.holds.possible_decisions import reviews
from services.payments.ledger.schemas import UtcTime
from services.payments.models import UNPAID, Payment
from services.payments.payment_lists import PaymentFilter
from services.payments.refunds import requests
from services.payments.schemas import PaymentPage, PaymentView, StartPayment
from services.payments.settlement import verify as verification
from services.payments.settlement.requested import RequestedVerifications
from services.payments.statuses import PaymentStatus

router = Router(prefix="/payments", tags=["payments"])


async def _views(session: AsyncSession, payments: Sequence[Payment], caller: Caller) -> list[PaymentView]:
    """Return the views of payments, with the sum of their unfinished refunds and, for operators, the reviews of held ones."""
    refunding = await requests.unfinished_amounts(session, [payment.id for payment in payments])
    held = await reviews(session, payments, refunding) if "payments:read" in caller.scopes else {}
    return [
        PaymentView.model_validate(payment).model_copy(
            update={"refunding_amount": refunding.get(payment.id, 0), "review": held.get(payment.id)}
        )
        for payment in payments
    ]


@router.post(
    "",
    dependencies=[AccountLimit],
    status_code=201,
    summary="Start a payment",
    responses=problem_responses(
        OrderNotFound,
        NotConfigured,
        OrderNotPayable,
        ChannelNotAvailable,
        ChargePending,
        TooManyPayments,
        IdempotencyKeyInUse,
        PayerUnknown,
        AmountNotPayable,
        PaymentRefused,
        IdempotencyKeyReused,
        PaystackUnavailable,
        CatalogUnavailable,
    ),
)
async def start_payment(
    caller: Starter,
    clients: CurrentClients,
    idempotency_locks: CurrentIdempotencyLocks,
    request: StartPayment,
    idempotency_key: KeyHeader = None,
) -> PaymentView:
    """Start a payment for one of the caller's pending orders. Requires the scope `payments:write`.

    A program with the scope `payments:write_for` starts it for one of its own customers, by default for the customer of its order; others
    cannot send `customer`. Send the payer to the `authorization_url` of the response.
    """
    return await start.start_payment(sessions, idempotency_locks, clients, caller, request, idempotency_key)


@router.post(
    "/charge",
    dependencies=[AccountLimit],
    status_code=201,
    summary="Charge a saved card",
    responses=problem_responses(
        OrderNotFound,
        CardNotFound,
        NotConfigured,
        OrderNotPayable,
        ChargePending,
        IdempotencyKeyInUse,
        AmountNotPayable,
        PaymentRefused,
        IdempotencyKeyReused,
        PaystackUnavailable,
        CatalogUnavailable,
    ),
)
async def charge_saved_card(
    customer: VerifiedCustomer,
    clients: CurrentClients,
    idempotency_locks: CurrentIdempotencyLocks,
    request: ChargeCard,
    idempotency_key: RequiredKeyHeader,
) -> PaymentView:
    """Pay for an order with a saved card. Requires the scope `payments:write`. The result is in `status`.

    `succeeded`: the order is paid. `failed`: the charge was declined. `pending` with an `authorization_url`: the bank requires the payer
    to authorize the charge on that page. `pending` without an `authorization_url`: the result is not known yet; get the payment again in
    a moment.
    """
    return await saved_card.charge_saved_card(sessions, idempotency_locks, clients, customer, request, idempotency_key)


@router.get("", summary="List payments", responses=problem_responses(InvalidCursor))
async def list_payments(
    caller: AnyCaller,
    session: Reading,
    order_id: Annotated[UUID | None, Query(description="Only payments for this order")] = None,
    customer: Annotated[
        Word | None,
        Query(
            description="Only payments that the account or program with this id started. The customer of a program has an "
            "`external_id` instead"
        ),
    ] = None,
    external_id: Annotated[
        Word | None,
        Query(description="Only payments that a program has started for its customer with this id"),
    ] = None,
    reference: Annotated[
        ReferenceText | None,
        Query(description="Only the payment with this reference"),
    ] = None,
    status: Annotated[
        list[PaymentStatus] | None,
        Query(max_length=10, description="Only payments with this status; repeat it for several"),
    ] = None,
    since: Annotated[
        UtcTime | None,
        Query(alias="from", description="Only payments created at or after this time (a date means midnight UTC)"),
    ] = None,
    until: Annotated[
        UtcTime | None,
        Query(alias="to", description="Only payments created before this time (a date means midnight UTC)"),
    ] = None,
    limit: Limit = 20,
    cursor: CursorParam = None,
) -> PaymentPage:
    """Return the payments that match all filters, newest first: the caller's own, or all with the scope `payments:read`."""
    before = None if cursor is None else decode_cursor(cursor, "payments", int)[0]
    if "payments:read" not in caller.scopes:
        if customer not in {None, caller.id}:
            return PaymentPage(items=[], next_cursor=None)
        customer = caller.id
    selected = PaymentFilter(
        customer_id=customer,
        external_id=external_id,
        order_id=order_id,
        reference=reference,
        statuses=status or (),
        since=since,
        until=until,
    )
    rows = await payment_lists.list_payments(session, selected, limit + 1, before)
    page, next_cursor = split_page(rows, limit, lambda last: encode_cursor("payments", last.id))
    return PaymentPage(items=await _views(session, page, caller), next_cursor=next_cursor)


@router.get("/{reference}", summary="Get a payment", responses=problem_responses(PaymentNotFound))
async def get_payment(caller: AnyCaller, session: Reading, reference: Reference) -> PaymentView:
    """Return a payment: one of the caller's own, or any with the scope `payments:read`."""
    (view,) = await _views(session, [await find_payment(session, caller, reference)], caller)
    return view


@router.post(
    "/{reference}/verify",
    dependencies=[AccountLimit],
    summary="Verify a payment at Paystack",
    responses=problem_responses(PaymentNotFound, NotConfigured, PaystackUnavailable),
)
async def verify_payment(
    request: Request, caller: AnyCaller, clients: CurrentClients, reference: Reference
) -> PaymentView:
    """Ask Paystack for the result of a payment that is not paid yet, and return the payment.

    Paystack is asked at most once in two seconds about a payment, and only while clients have not used up their share of the rate limit.
    Otherwise the stored payment is returned.
    """
    requested: RequestedVerifications = request.state.requested_verifications
    async with sessions() as session:
        payment = await find_payment(session, caller, reference)
    if payment.status in UNPAID and requested.client_may_verify(clients.paystack.rate_limit):
        await verification.verify_now(sessions, clients.paystack, reference)
    async with sessions() as session:
        (view,) = await _views(session, [await find_payment(session, caller, reference)], caller)
    return view
