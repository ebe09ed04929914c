"""What clients may ask of payments."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Header, Query
from sqlalchemy.ext.asyncio import AsyncSession

from kit.errors import NotAllowed, NotAuthenticated, problem_responses
from kit.fields import IdempotencyKey
from kit.idempotency.keys import IdempotencyKeyInUse, IdempotencyKeyReused, KeyHeader
from kit.idempotency.long_running import LongRunning
from kit.pagination import CursorParam, InvalidCursor, Limit, decode_cursor, encode_cursor, split_page
from services.payments.auth import AnyCaller, Payer, Reference, find_payment, payments_of
from services.payments.cards.schemas import ChargeCard
from services.payments.checkout import saved_card
from services.payments.checkout import start as checkout
from services.payments.clients import CurrentClients
from services.payments.db import Transaction, sessions
from services.payments.errors import (
    CardNotFound,
    CatalogUnavailable,
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
from services.payments.models import Payment, PaymentStatus
from services.payments.refunds import requests
from services.payments.schemas import PaymentPage, PaymentView, StartPayment
from services.payments.settlement import verify as verification

router = APIRouter(prefix="/payments", tags=["payments"])


KeyNeeded = Annotated[
    IdempotencyKey,
    Header(
        alias="Idempotency-Key",
        description="A value of yours, one for each intent: money moves at once, and an answer may be lost",
    ),
]


async def _shown(session: AsyncSession, payments: Sequence[Payment]) -> list[PaymentView]:
    on_their_way = await requests.pending_amounts(session, [payment.id for payment in payments])
    views = ((payment.id, PaymentView.model_validate(payment)) for payment in payments)
    return [view.model_copy(update={"refunding_amount": on_their_way.get(of, 0)}) for of, view in views]


@router.post(
    "",
    status_code=201,
    responses=problem_responses(
        NotAuthenticated,
        NotAllowed,
        OrderNotFound,
        OrderNotPayable,
        TooManyPayments,
        IdempotencyKeyInUse,
        PayerUnknown,
        PaymentRefused,
        IdempotencyKeyReused,
        PaystackUnavailable,
        CatalogUnavailable,
    ),
)
async def start_payment(
    payer: Payer,
    clients: CurrentClients,
    long_running: LongRunning,
    asked: StartPayment,
    idempotency_key: KeyHeader = None,
) -> PaymentView:
    """Start a payment for an order; send the payer to its `authorization_url`."""
    return await checkout.start(sessions, long_running, clients, payer, asked, idempotency_key)


@router.post(
    "/charge",
    status_code=201,
    responses=problem_responses(
        NotAuthenticated,
        NotAllowed,
        OrderNotFound,
        CardNotFound,
        NotConfigured,
        OrderNotPayable,
        ChargePending,
        IdempotencyKeyInUse,
        PaymentRefused,
        IdempotencyKeyReused,
        PaystackUnavailable,
        CatalogUnavailable,
    ),
)
async def charge_saved_card(
    payer: Payer, clients: CurrentClients, long_running: LongRunning, asked: ChargeCard, idempotency_key: KeyNeeded
) -> PaymentView:
    """Pay for an order with a saved card. Read `status`: succeeded, failed, or pending.

    Pending with an `authorization_url`: the bank wants to see the payer there. Pending without: not known yet, it is being asked.
    """
    return await saved_card.charge(sessions, long_running, clients, payer, asked, idempotency_key)


@router.get("", responses=problem_responses(NotAuthenticated, InvalidCursor))
async def list_payments(
    caller: AnyCaller,
    session: Transaction,
    status: Annotated[PaymentStatus | None, Query(description="Only those; `held` waits for a person")] = None,
    limit: Limit = 20,
    cursor: CursorParam = None,
) -> PaymentPage:
    """Payments, newest first: one's own, or everybody's with the scope payments:read."""
    query = payments_of(caller).order_by(Payment.id.desc()).limit(limit + 1)
    if status is not None:
        query = query.where(Payment.status == status)
    if cursor is not None:
        (last,) = decode_cursor(cursor, "payments", int)
        query = query.where(Payment.id < last)
    found = list((await session.execute(query)).scalars())
    page, next_cursor = split_page(found, limit, lambda payment: encode_cursor("payments", payment.id))
    return PaymentPage(items=await _shown(session, page), next_cursor=next_cursor)


@router.get("/{reference}", responses=problem_responses(NotAuthenticated, PaymentNotFound))
async def read(caller: AnyCaller, session: Transaction, reference: Reference) -> PaymentView:
    """How a payment stands."""
    return (await _shown(session, [await find_payment(session, caller, reference)]))[0]


@router.post("/{reference}/verify", responses=problem_responses(NotAuthenticated, PaymentNotFound, PaystackUnavailable))
async def verify_payment(caller: AnyCaller, clients: CurrentClients, reference: Reference) -> PaymentView:
    """Ask Paystack now, where the payment is not settled yet, and answer how it stands."""
    async with sessions() as session:
        await find_payment(session, caller, reference)
    await verification.verify_now(sessions, clients.paystack, reference)
    async with sessions() as session:
        return (await _shown(session, [await find_payment(session, caller, reference)]))[0]
