"""Rows of payments with sensible defaults. Each function commits."""

from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import uuid4

from services.payments.cards.models import Card
from services.payments.db import sessions
from services.payments.models import Base, Dispute, Payment
from services.payments.refunds.models import Refund
from services.payments.webhooks.models import WebhookEvent
from tests.fakes.paystack import transaction_id

Row = TypeVar("Row", bound=Base)
FAR_AWAY = datetime(2099, 1, 1, tzinfo=UTC)
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


async def _create(row: Row) -> Row:
    async with sessions.begin() as session:
        session.add(row)
    return row


async def create_payment(reference: str = "", **values: Any) -> Payment:
    """Create a pending payment of 500 naira as a start leaves it; the sweeper's turn is far away."""
    defaults: dict[str, Any] = {
        "reference": reference or f"pay-{uuid4().hex}",
        "order_id": uuid4(),
        "customer_id": "customer-1",
        "email": "payer@example.com",
        "amount": 50_000,
        "currency": "NGN",
        "verify_next_attempt_at": FAR_AWAY,
    }
    return await _create(Payment(**{**defaults, **values}))


async def create_paid_payment(**values: Any) -> Payment:
    """Create a payment that succeeded, with the id of its transaction at Paystack."""
    reference = values.pop("reference", f"pay-{uuid4().hex}")
    defaults = {
        "status": "succeeded",
        "paid_amount": 50_000,
        "paid_currency": "NGN",
        "paystack_id": transaction_id(reference),
    }
    return await create_payment(reference, **{**defaults, **values})


async def create_refund(payment: Payment, **values: Any) -> Refund:
    """Create a requested refund of the whole payment."""
    defaults: dict[str, Any] = {
        "payment_id": payment.id,
        "amount": payment.paid_amount,
        "currency": payment.paid_currency,
        "requested_by": "operator-1",
    }
    return await _create(Refund(**{**defaults, **values}))


async def create_dispute(number: int, **values: Any) -> Dispute:
    """Create an open dispute; it is due far away."""
    defaults = {"status": "awaiting-merchant-feedback", "opened_at": datetime.now(UTC), "due_at": FAR_AWAY}
    return await _create(Dispute(id=number, **{**defaults, **values}))


async def create_card(customer_id: str = "customer-1", **values: Any) -> Card:
    """Create a saved card of the payer."""
    defaults: dict[str, Any] = {
        "customer_id": customer_id,
        "domain": "test",
        "signature": "SIG_4081",
        "authorization_code": "AUTH_4081",
        "email": "payer@example.com",
        "last4": "4081",
        "brand": "visa",
        "last_payment_started_at": datetime.now(UTC),
    }
    return await _create(Card(**{**defaults, **values}))


async def create_webhook_event(key: str = "", **values: Any) -> WebhookEvent:
    """Create a stored webhook event that nobody has processed."""
    defaults: dict[str, Any] = {"key": key or uuid4().hex, "body": b'{"event":"moon.landed","data":{}}', "headers": {}}
    return await _create(WebhookEvent(**{**defaults, **values}))
