"""What clients may ask of payments."""

from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from kit.auth import Caller
from kit.errors import NotAllowed, NotAuthenticated, problem_responses
from kit.idempotency.keys import IdempotencyKeyInUse, IdempotencyKeyReused, KeyHeader
from kit.pagination import CursorParam, InvalidCursor, Limit, decode_cursor, encode_cursor
from services.payments.auth import AnyCaller, Payer
from services.payments.checkout import start as checkout
from services.payments.clients import CurrentClients
from services.payments.db import LongRunning, Transaction, sessions
from services.payments.errors import (
    CatalogUnavailable,
    OrderNotFound,
    OrderNotPayable,
    PayerUnknown,
    PaymentNotFound,
    PaymentRefused,
    PaystackUnavailable,
    TooManyPayments,
)
from services.payments.models import Payment
from services.payments.refunds import requests
from services.payments.schemas import PaymentPage, PaymentView, StartPayment
from services.payments.settlement import verify as verification

router = APIRouter(prefix="/payments", tags=["payments"])
Reference = Annotated[str, Path(pattern=r"^[A-Za-z0-9.=_-]{1,200}$", description="The payment's reference")]
Status = Literal["pending", "succeeded", "failed", "abandoned", "held", "partially_refunded", "refunded", "disputed"]


def payments_of(caller: Caller) -> Select[Payment]:
    """Those that the caller may see: their own, or all with the scope payments:read."""
    query = select(Payment)
    return query if "payments:read" in caller.scopes else query.where(Payment.payer_id == caller.id)


async def _shown(session: AsyncSession, payments: Sequence[Payment]) -> list[PaymentView]:
    on_their_way = await requests.pending_amounts(session, [payment.id for payment in payments])
    views = ((payment.id, PaymentView.model_validate(payment)) for payment in payments)
    return [view.model_copy(update={"refunding_amount": on_their_way.get(of, 0)}) for of, view in views]


async def find(session: AsyncSession, caller: Caller, reference: str) -> Payment:
    """One of those. Raises PaymentNotFound."""
    found = (await session.execute(payments_of(caller).where(Payment.reference == reference))).scalar_one_or_none()
    if found is None:
        raise PaymentNotFound
    return found


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


@router.get("", responses=problem_responses(NotAuthenticated, InvalidCursor))
async def list_payments(
    caller: AnyCaller,
    session: Transaction,
    status: Annotated[Status | None, Query(description="Only those; `held` waits for a person")] = None,
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
    more = encode_cursor("payments", found[limit - 1].id) if len(found) > limit else None
    return PaymentPage(items=await _shown(session, found[:limit]), next_cursor=more)


@router.get("/{reference}", responses=problem_responses(NotAuthenticated, PaymentNotFound))
async def read(caller: AnyCaller, session: Transaction, reference: Reference) -> PaymentView:
    """How a payment stands."""
    return (await _shown(session, [await find(session, caller, reference)]))[0]


@router.post("/{reference}/verify", responses=problem_responses(NotAuthenticated, PaymentNotFound, PaystackUnavailable))
async def verify_payment(caller: AnyCaller, clients: CurrentClients, reference: Reference) -> PaymentView:
    """Ask Paystack now, where the payment is not settled yet, and answer how it stands."""
    async with sessions() as session:
        await find(session, caller, reference)
    await verification.verify_now(sessions, clients.paystack, reference)
    async with sessions() as session:
        return (await _shown(session, [await find(session, caller, reference)]))[0]
