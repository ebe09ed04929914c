"""Starting a payment: a reference of ours is stored before Paystack hears it, and no transaction is open while Paystack is asked."""

import secrets
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from kit.auth import Caller
from kit.idempotency.keys import IdempotentRequest
from kit.idempotency.long_running import LongRunningRequests
from kit.observability.tracing import traceparent
from services.payments.catalog_client import CatalogClient, Order
from services.payments.clients import Clients, problem_from_paystack
from services.payments.errors import OrderNotPayable, PayerUnknown, PaystackUnavailable, TooManyPayments
from services.payments.models import Payment, PaymentStatus
from services.payments.paystack.client import Paystack
from services.payments.paystack.errors import NoAnswer, PaystackError, Refused
from services.payments.paystack.transactions import Initialized
from services.payments.schemas import PaymentView, StartPayment
from services.payments.settings import settings

PAID = (
    PaymentStatus.SUCCEEDED,
    PaymentStatus.HELD,
    PaymentStatus.PARTIALLY_REFUNDED,
    PaymentStatus.DISPUTED,
)
"""Money came for the order, and did not all go back: nobody is asked to pay again."""

MOST_WAITING = 20
"""Payments of one order that may wait for their payer at once: each is asked about, at Paystack's limits."""

ATTEMPTS = 2
"""References tried in one request: a timed-out initialize is never sent again, it gets a new reference."""

log = structlog.get_logger("checkout")


async def start(
    sessions: async_sessionmaker[AsyncSession],
    long_running: LongRunningRequests,
    clients: Clients,
    caller: Caller,
    asked: StartPayment,
    key: str | None,
) -> PaymentView:
    """Start a payment for an order of the caller's. Asked again with the same key, it answers the same.

    Raises OrderNotFound, OrderNotPayable, PayerUnknown, PaymentRefused, PaystackUnavailable, CatalogUnavailable.
    """
    if caller.email is None:
        raise PayerUnknown
    intent = IdempotentRequest.of(caller.id, "POST /payments", key, asked)
    async with long_running.lock(intent) as claim:
        if claim.stored_response is not None:
            return PaymentView.model_validate(claim.stored_response.body)
        order = await get_payable_order(clients.catalog, asked.order_id, caller)
        view = await _begin(sessions, clients, caller, caller.email, asked, order)
        async with sessions.begin() as session:
            await claim.store_response(session, 201, view)
        return view


async def get_payable_order(catalog: CatalogClient, order_id: UUID, caller: Caller) -> Order:
    """An order of the caller's that waits for its payment. Raises OrderNotFound, OrderNotPayable, CatalogUnavailable."""
    order = await catalog.get(order_id, caller)
    if order.status != "pending":
        raise OrderNotPayable(f"The order is {order.status}.")
    return order


async def _begin(
    sessions: async_sessionmaker[AsyncSession],
    clients: Clients,
    caller: Caller,
    email: str,
    asked: StartPayment,
    order: Order,
) -> PaymentView:
    for attempt in range(ATTEMPTS):
        payment = _payment(caller, email, asked, order)
        async with sessions.begin() as session:
            await _refuse_another(session, order)
            session.add(payment)
        try:
            initialized = await _initialize(clients.paystack, payment)
        except NoAnswer as error:
            # Paystack may know the reference now, but nobody knows its page: it cannot be paid, and is given up.
            log.warning(
                "initialize gave no answer", reference=payment.reference, attempt=attempt + 1, reason=str(error)
            )
            await abandon(sessions, payment.reference, "Paystack did not answer")
        except PaystackError as error:
            await abandon(sessions, payment.reference, str(error))
            if isinstance(error, Refused) and error.code == "duplicate_reference":
                continue
            raise problem_from_paystack(error) from error
        else:
            return await _started(sessions, payment.reference, initialized)
    raise PaystackUnavailable


async def _refuse_another(session: AsyncSession, order: Order) -> None:
    """Catalog hears of the money a moment after us, or hours where the broker is down: the order is pending there until then."""
    of_order = select(Payment.reference, Payment.status).where(Payment.order_id == order.id)
    paid = (await session.execute(of_order.where(Payment.status.in_(PAID)).limit(1))).one_or_none()
    if paid is not None:
        raise already_paid(paid.reference, paid.status)
    waiting = of_order.where(Payment.status == PaymentStatus.PENDING).limit(MOST_WAITING)
    if len((await session.execute(waiting)).all()) >= MOST_WAITING:
        raise TooManyPayments


def already_paid(reference: str, status: PaymentStatus) -> OrderNotPayable:
    said = "Money that came for the order is being looked at." if status == PaymentStatus.HELD else "The order is paid."
    return OrderNotPayable(said, reference=reference)


def new_reference() -> str:
    """Unguessable, and in Paystack's letters: one for each attempt."""
    return f"pay-{secrets.token_hex(16)}"


def _payment(caller: Caller, email: str, asked: StartPayment, order: Order) -> Payment:
    return Payment(
        reference=new_reference(),
        order_id=order.id,
        payer_id=caller.id,
        email=email,
        phone=asked.phone,
        amount=order.amount,
        currency=order.currency,
        callback_url=asked.callback_url,
        cancel_url=asked.cancel_url,
        verify_next_attempt_at=datetime.now(UTC) + timedelta(seconds=settings.payments_verify_after_seconds),
        traceparent=traceparent(),
    )


async def _initialize(paystack: Paystack, payment: Payment) -> Initialized:
    callback = f"{settings.payments_public_url.rstrip('/')}/payments/callback"
    fields = [{"display_name": "Order", "variable_name": "order_id", "value": str(payment.order_id)}]
    if payment.phone:
        fields.append({"display_name": "Phone", "variable_name": "phone", "value": payment.phone})
    metadata = {
        "order_id": str(payment.order_id),
        "phone": payment.phone or "",
        "cancel_action": payment.cancel_url or f"{callback}?reference={payment.reference}",
        "custom_fields": fields,
    }
    return await paystack.transactions.initialize(
        reference=payment.reference,
        email=payment.email or "",
        amount=payment.amount,
        currency=payment.currency,
        callback_url=callback,
        metadata=metadata,
    )


async def _started(sessions: async_sessionmaker[AsyncSession], reference: str, initialized: Initialized) -> PaymentView:
    async with sessions.begin() as session:
        started = (
            update(Payment)
            .where(Payment.reference == reference)
            .values(authorization_url=initialized.authorization_url, access_code=initialized.access_code)
        )
        await session.execute(started)
        payment = (await session.execute(select(Payment).where(Payment.reference == reference))).scalar_one()
        return PaymentView.model_validate(payment)


async def abandon(sessions: async_sessionmaker[AsyncSession], reference: str, reason: str) -> None:
    """An attempt that cannot be paid. Money that comes all the same still settles."""
    async with sessions.begin() as session:
        await session.execute(
            update(Payment)
            .where(Payment.reference == reference, Payment.status == PaymentStatus.PENDING)
            .values(status=PaymentStatus.ABANDONED, gateway_response=reason[:500])
        )
