"""A saved card is charged again: under a reference of ours that is stored before, and never sent twice.

What is not known to have failed may have been paid: until it is decided, no other charge is sent for the order, whatever key asks.
"""

from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from kit.auth import Caller
from kit.idempotency.keys import IdempotentRequest
from kit.idempotency.long_running import LongRunningRequests
from kit.observability.tracing import traceparent
from services.payments.cards import saved_cards
from services.payments.cards.models import Card
from services.payments.cards.schemas import ChargeCard
from services.payments.catalog_client import Order
from services.payments.checkout.start import (
    PAID,
    abandon,
    already_paid,
    get_payable_order,
    new_reference,
)
from services.payments.clients import Clients, problem_from_paystack
from services.payments.errors import ChargePending
from services.payments.models import Payment, PaymentStatus
from services.payments.paystack.authorizations import Challenge
from services.payments.paystack.charge import Charge
from services.payments.paystack.client import Paystack
from services.payments.paystack.errors import NoAnswer, PaystackError
from services.payments.schemas import PaymentView
from services.payments.settings import settings
from services.payments.settlement.rules import check_amount
from services.payments.settlement.settle import settle

log = structlog.get_logger("cards")


async def charge(
    sessions: async_sessionmaker[AsyncSession],
    long_running: LongRunningRequests,
    clients: Clients,
    caller: Caller,
    asked: ChargeCard,
    key: str,
) -> PaymentView:
    """Charge an order of the caller's to a card of the caller's. Asked again with the same key, it answers the same.

    Raises OrderNotFound, OrderNotPayable, CardNotFound, ChargeUnderWay, PaymentRefused, PaystackUnavailable, CatalogUnavailable.
    """
    intent = IdempotentRequest.of(caller.id, "POST /payments/charge", key, asked)
    # A charge that may have been sent stands in the way of another, with or without the key.
    async with long_running.lock(intent) as claim:
        if claim.stored_response is not None:
            return PaymentView.model_validate(claim.stored_response.body)
        order = await get_payable_order(clients.catalog, asked.order_id, caller)
        async with sessions.begin() as session:
            card = await saved_cards.find(session, caller.id, asked.card_id)
            payment = await _begin(session, caller, order, card)
        await _send(sessions, clients.paystack, payment, card.authorization_code or "")
        async with sessions.begin() as session:
            found = await session.execute(select(Payment).where(Payment.reference == payment.reference))
            view = PaymentView.model_validate(found.scalar_one())
            await claim.store_response(session, 201, view)
        return view


async def _begin(session: AsyncSession, caller: Caller, order: Order, card: Card) -> Payment:
    # One charge of an order at a time, also where two ask at once: the second sees the first.
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(str(order.id), 0))))
    others = await session.execute(
        select(Payment.reference, Payment.status, Payment.card_id).where(Payment.order_id == order.id)
    )
    for reference, status, card_id in others:
        if status in PAID:
            raise already_paid(reference, status)
        if status == PaymentStatus.PENDING and card_id is not None:
            raise ChargePending(reference=reference)
    payment = Payment(
        reference=new_reference(),
        order_id=order.id,
        payer_id=caller.id,
        email=card.email,
        card_id=card.id,
        amount=order.amount,
        currency=order.currency,
        verify_next_attempt_at=datetime.now(UTC) + timedelta(seconds=settings.payments_verify_after_seconds),
        traceparent=traceparent(),
    )
    session.add(payment)
    await session.flush()
    return payment


async def _send(sessions: async_sessionmaker[AsyncSession], paystack: Paystack, payment: Payment, code: str) -> None:
    """Once. Where the answer is lost, the payment stays pending, and the sweep asks what became of it."""
    try:
        answer = await paystack.authorizations.charge(
            code=code,
            reference=payment.reference,
            email=payment.email or "",
            amount=payment.amount,
            currency=payment.currency,
            metadata={"order_id": str(payment.order_id)},
        )
        if isinstance(answer, Charge):
            answer = await _told_in_full(paystack, payment, answer)
    except NoAnswer as error:
        log.warning("a charge gave no answer, the sweep asks", reference=payment.reference, reason=str(error)[:200])
        return
    except PaystackError as error:
        await abandon(sessions, payment.reference, str(error))
        raise problem_from_paystack(error) from error
    async with sessions.begin() as session:
        if isinstance(answer, Challenge):
            await session.execute(
                update(Payment)
                .where(Payment.reference == payment.reference)
                .values(authorization_url=answer.authorization_url, access_code=answer.access_code)
            )
        else:
            await settle(session, [answer])


async def _told_in_full(paystack: Paystack, payment: Payment, charge: Charge) -> Charge:
    """The answer to a charge does not say what was requested; where fees came on top, only verify tells why more was paid."""
    if charge.status != "success":
        return charge
    if check_amount(payment.amount, payment.currency, charge, settings.domain) is None:
        return charge
    try:
        return await paystack.transactions.verify(charge.reference) or charge
    except PaystackError as error:
        raise NoAnswer(f"paid, and not verified: {error}") from error
