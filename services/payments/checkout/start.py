"""Start a payment.

The reference is stored before it is sent to Paystack, so that no payment is lost. No database transaction is open during
a call to Paystack.
"""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from contracts.money import format_money, fraction_rule_broken_by, minimum_rule_broken_by
from kit.auth import Caller
from kit.idempotency.keys import IdempotentRequest
from kit.idempotency.long_running import IdempotencyLocks
from kit.messaging import outbox
from kit.observability.tracing import traceparent
from services.payments import events as payment_events
from services.payments.catalog_client import CatalogClient, Order
from services.payments.checkout.checkout_end import payable_until, transfer_seconds
from services.payments.checkout.customer import PaymentCustomer, check_customer, customer_of, is_program
from services.payments.checkout.return_urls import with_query
from services.payments.clients import Clients, problem_from_paystack
from services.payments.errors import (
    AmountNotPayable,
    ChannelNotAvailable,
    ChargePending,
    OrderNotFound,
    OrderNotPayable,
    PaystackUnavailable,
    TooManyPayments,
)
from services.payments.models import PAID_NOT_FULLY_REFUNDED, OutboxRow, Payment
from services.payments.paystack.channels import channel_rule_broken_by
from services.payments.paystack.client import Paystack
from services.payments.paystack.errors import NoAnswer, PaystackError, Refused
from services.payments.paystack.transactions import Initialized
from services.payments.references import new_reference
from services.payments.schemas import PaymentView, StartPayment
from services.payments.settings import settings
from services.payments.settlement import abandoned
from services.payments.statuses import PaymentStatus

MAX_PENDING = 20
"""The maximum number of pending payments of an order. The sweeper verifies each of them, and these calls use up Paystack's rate limit."""

ATTEMPTS = 2
"""The maximum number of initialize calls in one request. Each has a new reference: a call that timed out may have used its reference."""

NOTHING_CHARGED = "Paystack is unavailable and nothing was charged: try again in a moment."

log = structlog.get_logger("checkout")


async def start_payment(
    sessions: async_sessionmaker[AsyncSession],
    idempotency_locks: IdempotencyLocks,
    clients: Clients,
    caller: Caller,
    request: StartPayment,
    idempotency_key: str | None,
) -> PaymentView:
    """Start a payment for an order of the caller, or as a program for one of its customers.

    A repeated request with the same idempotency key returns the first response.

    Raises NotAllowed, NotConfigured, OrderNotFound, OrderNotPayable, AmountNotPayable, ChannelNotAvailable, ChargePending, PayerUnknown,
    PaymentRefused, PaystackUnavailable, CatalogUnavailable, TooManyPayments.
    """
    check_customer(caller, request)
    idempotent = IdempotentRequest.of(caller.id, "POST /payments", idempotency_key, request)
    async with idempotency_locks.lock(idempotent) as locked:
        if locked.stored_response is not None:
            return PaymentView.model_validate(locked.stored_response.body)
        paystack = clients.paystack  # raises NotConfigured before a payment is stored
        order = await get_payable_order(clients.catalog, request.order_id, caller)
        broken_rule = channel_rule_broken_by(request.channels or (), order.currency)
        if broken_rule is not None:
            raise ChannelNotAvailable(f"A channel is not available for the currency of the order: {broken_rule}.")
        customer = customer_of(caller, request, order)
        view = await _initialize_payment(sessions, paystack, customer, request, order)
        async with sessions.begin() as session:
            await locked.store_response(session, 201, view)
        return view


async def get_payable_order(catalog: CatalogClient, order_id: UUID, caller: Caller) -> Order:
    """Return a pending order of the caller. Raises OrderNotFound, OrderNotPayable, AmountNotPayable, CatalogUnavailable.

    catalog shows staff the orders of all customers. They cannot start a payment for these: the payment, and the card that the payer uses,
    would belong to the member of staff, who could charge it later.
    """
    order = await catalog.get_order(order_id, caller)
    if not is_program(caller) and (order.customer is None or order.customer.id != caller.id):
        raise OrderNotFound
    if order.status != "pending":
        raise OrderNotPayable(f"The order is {order.status}: only a pending order can be paid.")
    for broken_rule in (
        fraction_rule_broken_by(order.amount, order.currency),
        minimum_rule_broken_by(order.amount, order.currency),
    ):
        if broken_rule is not None:
            raise AmountNotPayable(f"The amount of this order cannot be paid: {broken_rule}. Place another order.")
    return order


async def _initialize_payment(
    sessions: async_sessionmaker[AsyncSession],
    paystack: Paystack,
    customer: PaymentCustomer,
    request: StartPayment,
    order: Order,
) -> PaymentView:
    """Store a payment and initialize it at Paystack. Retry once with a new payment if Paystack does not answer or refuses the
    reference as a duplicate.
    """
    for attempt in range(1, ATTEMPTS + 1):
        payment = _new_payment(customer, request, order)
        async with sessions.begin() as session:
            await _check_other_payments(session, order)
            session.add(payment)
        try:
            initialized = await _initialize(paystack, payment, request)
        except NoAnswer as error:
            # Paystack may have created the transaction, but its payment page is unknown, so it cannot be paid.
            log.warning("initialize call not answered", reference=payment.reference, attempt=attempt, reason=str(error))
            await abandon(sessions, payment.reference, "Paystack did not answer")
        except PaystackError as error:
            await abandon(sessions, payment.reference, str(error))
            if isinstance(error, Refused) and error.code == "duplicate_reference":
                continue
            raise problem_from_paystack(error, unavailable_detail=NOTHING_CHARGED, currency=payment.currency) from error
        else:
            opened_at = datetime.now(UTC)
            seconds = transfer_seconds(order.currency, request.channels, settings.payments_transfer_account_seconds)
            ends_at = payable_until(opened_at, await paystack.integration.checkout_timeout(), seconds)
            view = await _store_payment_page(sessions, payment.reference, initialized, ends_at)
            log_started(payment)
            return view
    raise PaystackUnavailable(NOTHING_CHARGED)


async def _check_other_payments(session: AsyncSession, order: Order) -> None:
    """Refuse a payment if the order is already paid, if the result of a charge of a saved card for it is not known yet, or if it has too
    many pending payments. Locks the order until the transaction ends.

    The order's status in catalog is not enough: catalog receives payment.succeeded later, hours later if RabbitMQ is down.
    """
    await lock_order(session, order)
    of_order = select(Payment.reference, Payment.status).where(Payment.order_id == order.id)
    paid = (await session.execute(of_order.where(Payment.status.in_(PAID_NOT_FULLY_REFUNDED)).limit(1))).one_or_none()
    if paid is not None:
        raise already_paid(paid.reference, paid.status)
    # A charge with an authorization_url waits for its payer, who may prefer to pay on a new page.
    charge = of_order.where(
        Payment.status == PaymentStatus.PENDING, Payment.card_id.is_not(None), Payment.authorization_url.is_(None)
    )
    unknown = (await session.execute(charge.limit(1))).one_or_none()
    if unknown is not None:
        raise ChargePending(reference=unknown.reference)
    pending = of_order.where(Payment.status == PaymentStatus.PENDING).limit(MAX_PENDING)
    if len((await session.execute(pending)).all()) >= MAX_PENDING:
        raise TooManyPayments


async def lock_order(session: AsyncSession, order: Order) -> None:
    """Lock an order: of two concurrent requests to pay for it, the second waits, and then sees the payment of the first."""
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(str(order.id), 0))))


def already_paid(reference: str, status: PaymentStatus) -> OrderNotPayable:
    """Return the error for an order with a payment that is paid and not fully refunded."""
    if status == PaymentStatus.HELD:
        detail = "A payment for this order is under review: do not pay again, its `reference` is in this response."
    else:
        detail = "This order is already paid: do not pay again, the payment's `reference` is in this response."
    return OrderNotPayable(detail, reference=reference)


def log_started(payment: Payment) -> None:
    """Log a new payment: its page exists at Paystack, or its saved card will be charged now."""
    amount = format_money(payment.amount, payment.currency)
    log.info("payment started", order_id=str(payment.order_id), reference=payment.reference, amount=amount)


def _new_payment(customer: PaymentCustomer, request: StartPayment, order: Order) -> Payment:
    return Payment(
        reference=new_reference(),
        order_id=order.id,
        customer_id=customer.id,
        email=customer.email,
        phone=customer.phone,
        started_by_program=customer.by_program,
        customer_name=customer.name,
        customer_external_id=customer.external_id,
        client_metadata=order.metadata if request.metadata is None else request.metadata,
        amount=order.amount,
        currency=order.currency,
        callback_url=request.callback_url,
        cancel_url=request.cancel_url,
        verify_next_attempt_at=datetime.now(UTC) + timedelta(seconds=settings.payments_verify_after_seconds),
        traceparent=traceparent(),
    )


async def _initialize(paystack: Paystack, payment: Payment, request: StartPayment) -> Initialized:
    callback_url = f"{settings.payments_public_url.rstrip('/')}/payments/callback"
    fields = [{"display_name": "Order", "variable_name": "order_id", "value": str(payment.order_id)}]
    if payment.phone:
        fields.append({"display_name": "Phone", "variable_name": "phone", "value": payment.phone})
    metadata: dict[str, Any] = {
        **payment.client_metadata,
        "order_id": str(payment.order_id),
        "phone": payment.phone or "",
        "cancel_action": with_query(payment.cancel_url or callback_url, f"reference={payment.reference}"),
        "custom_fields": fields,
    }
    if request.custom_filters is not None:
        metadata["custom_filters"] = request.custom_filters.model_dump(exclude_none=True)
    return await paystack.transactions.initialize(
        reference=payment.reference,
        email=payment.email or "",
        amount=payment.amount,
        currency=payment.currency,
        callback_url=callback_url,
        metadata=metadata,
        channels=request.channels,
    )


async def _store_payment_page(
    sessions: async_sessionmaker[AsyncSession], reference: str, initialized: Initialized, ends_at: datetime | None
) -> PaymentView:
    """Store the payment page that Paystack returned and the end of the checkout, and publish payment.started.

    Nobody can pay before: only the response to this request tells the payer the address of the page.
    """
    async with sessions.begin() as session:
        await session.execute(
            update(Payment)
            .where(Payment.reference == reference)
            .values(
                authorization_url=initialized.authorization_url,
                access_code=initialized.access_code,
                payable_until=ends_at,
            )
        )
        payment = (await session.execute(select(Payment).where(Payment.reference == reference))).scalar_one()
        await outbox.add(session, OutboxRow, payment_events.started(payment, ends_at))
        return PaymentView.model_validate(payment)


async def abandon(sessions: async_sessionmaker[AsyncSession], reference: str, reason: str) -> None:
    """Set a pending payment to abandoned, because it cannot be paid. If Paystack nevertheless reports a paid charge, it is settled."""
    async with sessions.begin() as session:
        pending = update(Payment).where(Payment.reference == reference, Payment.status == PaymentStatus.PENDING)
        await abandoned.abandon(session, pending.values(status=PaymentStatus.ABANDONED, gateway_response=reason[:500]))
