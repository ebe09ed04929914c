"""Charge a saved card.

The reference is stored before the charge is sent, and a charge is never sent twice. A charge without a known result may have succeeded:
until its result is known, no other charge is sent and no payment is started for the order, even with another idempotency key. A charge
that the payer has to authorize on a page prevents only other charges.
"""

from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from kit.auth import Caller
from kit.idempotency.keys import IdempotentRequest
from kit.idempotency.long_running import IdempotencyLocks
from kit.messaging import outbox
from kit.observability.tracing import traceparent
from services.payments import events as payment_events
from services.payments.cards import saved_cards
from services.payments.cards.models import Card
from services.payments.cards.schemas import ChargeCard
from services.payments.catalog_client import Order
from services.payments.checkout.checkout_end import payable_until
from services.payments.checkout.start import (
    NOTHING_CHARGED,
    abandon,
    already_paid,
    get_payable_order,
    lock_order,
    log_started,
)
from services.payments.clients import Clients, problem_from_paystack
from services.payments.errors import ChargePending
from services.payments.models import PAID_NOT_FULLY_REFUNDED, OutboxRow, Payment
from services.payments.paystack.authorizations import Challenge
from services.payments.paystack.charge import Charge
from services.payments.paystack.client import Paystack
from services.payments.paystack.errors import NoAnswer, PaystackError
from services.payments.paystack.transport import CALL_SECONDS
from services.payments.references import new_reference
from services.payments.schemas import PaymentView
from services.payments.settings import settings
from services.payments.settlement.rules import find_mismatch
from services.payments.settlement.settle import settle
from services.payments.statuses import PaymentStatus

PAYER_AUTHORIZES = (
    "A card charge for this order waits until the payer authorizes it: get the payment with this `reference`, and send the payer to its "
    "`authorization_url`, or start a payment."
)
log = structlog.get_logger("cards")


async def charge_saved_card(
    sessions: async_sessionmaker[AsyncSession],
    idempotency_locks: IdempotencyLocks,
    clients: Clients,
    caller: Caller,
    request: ChargeCard,
    idempotency_key: str,
) -> PaymentView:
    """Charge a saved card of the caller for an order of the caller.

    A repeated request with the same idempotency key returns the first response.

    Raises NotConfigured, OrderNotFound, OrderNotPayable, AmountNotPayable, CardNotFound, ChargePending, PaymentRefused,
    PaystackUnavailable, CatalogUnavailable.
    """
    idempotent = IdempotentRequest.of(caller.id, "POST /payments/charge", idempotency_key, request)
    async with idempotency_locks.lock(idempotent) as locked:
        if locked.stored_response is not None:
            return PaymentView.model_validate(locked.stored_response.body)
        paystack = clients.paystack  # raises NotConfigured before a payment is stored
        order = await get_payable_order(clients.catalog, request.order_id, caller)
        checkout_timeout = await paystack.integration.checkout_timeout()
        # If the bank requires that the payer authorizes the charge, Paystack opens a checkout page, at the latest when the call ends.
        opened_at = datetime.now(UTC) + timedelta(seconds=CALL_SECONDS)
        ends_at = payable_until(opened_at, checkout_timeout, transfer_seconds=0)
        async with sessions.begin() as session:
            card = await saved_cards.find(session, caller.id, request.card_id)
            payment = await _insert_payment(session, caller, order, card, request.metadata, ends_at)
        log_started(payment)
        await _send_charge(sessions, paystack, payment, card.authorization_code or "")
        async with sessions.begin() as session:
            stored = await session.execute(select(Payment).where(Payment.reference == payment.reference))
            view = PaymentView.model_validate(stored.scalar_one())
            await locked.store_response(session, 201, view)
        return view


async def _insert_payment(
    session: AsyncSession,
    caller: Caller,
    order: Order,
    card: Card,
    metadata: dict[str, str] | None,
    ends_at: datetime | None,
) -> Payment:
    """Insert the pending payment, and publish payment.started.

    Raises OrderNotPayable if the order is paid, and ChargePending while another charge is pending.
    """
    await lock_order(session, order)
    payments_of_order = await session.execute(
        select(Payment.reference, Payment.status, Payment.card_id, Payment.authorization_url).where(
            Payment.order_id == order.id
        )
    )
    for reference, status, card_id, authorization_url in payments_of_order:
        if status in PAID_NOT_FULLY_REFUNDED:
            raise already_paid(reference, status)
        if status == PaymentStatus.PENDING and card_id is not None:
            raise ChargePending(None if authorization_url is None else PAYER_AUTHORIZES, reference=reference)
    payment = Payment(
        reference=new_reference(),
        order_id=order.id,
        customer_id=caller.id,
        email=card.email,
        card_id=card.id,
        client_metadata=order.metadata if metadata is None else metadata,
        amount=order.amount,
        currency=order.currency,
        payable_until=ends_at,
        verify_next_attempt_at=datetime.now(UTC) + timedelta(seconds=settings.payments_verify_after_seconds),
        traceparent=traceparent(),
    )
    session.add(payment)
    await session.flush()
    await outbox.add(session, OutboxRow, payment_events.started(payment, ends_at))
    return payment


async def _send_charge(
    sessions: async_sessionmaker[AsyncSession], paystack: Paystack, payment: Payment, authorization_code: str
) -> None:
    """Send the charge to Paystack once, and store its result.

    Without an answer, the payment stays pending until the sweeper has verified it. Raises PaymentRefused and PaystackUnavailable.
    """
    try:
        result = await paystack.authorizations.charge(
            code=authorization_code,
            reference=payment.reference,
            email=payment.email or "",
            amount=payment.amount,
            currency=payment.currency,
            metadata={**payment.client_metadata, "order_id": str(payment.order_id)},
        )
        if isinstance(result, Charge):
            result = await _with_requested_amount(paystack, payment, result)
    except NoAnswer as error:
        log.warning("charge result unknown", reference=payment.reference, reason=str(error)[:200])
        return
    except PaystackError as error:
        await abandon(sessions, payment.reference, str(error))
        raise problem_from_paystack(error, unavailable_detail=NOTHING_CHARGED, currency=payment.currency) from error
    async with sessions.begin() as session:
        if isinstance(result, Challenge):
            await session.execute(
                update(Payment)
                .where(Payment.reference == payment.reference)
                .values(authorization_url=result.authorization_url, access_code=result.access_code)
            )
        else:
            await settle(session, [result])


async def _with_requested_amount(paystack: Paystack, payment: Payment, charge: Charge) -> Charge:
    """Return the charge. If the amount check fails, verify the charge and return it with its requested amount.

    The response to a charge has no requested amount. If the payer bears the fees, the paid amount is greater than the order's amount: the
    amount check then needs both amounts, which only verify reports.
    """
    if charge.status != "success":
        return charge
    if find_mismatch(payment.amount, payment.currency, charge, settings.mode) is None:
        return charge
    try:
        return await paystack.transactions.verify(charge.reference) or charge
    except PaystackError as error:
        raise NoAnswer(f"the charge succeeded, but could not be verified: {error}") from error
