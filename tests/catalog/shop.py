"""What tests of catalog do to it and ask of it: products that are there, orders, payments' events, the state of the tables."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
from sqlalchemy import select, text, update

from contracts.events import (
    Event,
    OrderUndeliverable,
    PaymentDisputed,
    PaymentDisputedData,
    PaymentDisputeResolved,
    PaymentDisputeResolvedData,
    PaymentFailed,
    PaymentFailedData,
    PaymentHeld,
    PaymentHeldData,
    PaymentRefunded,
    PaymentRefundedData,
    PaymentSucceeded,
    PaymentSucceededData,
)
from services.catalog.db import sessions
from services.catalog.expiry import expire
from services.catalog.fulfilment import fulfil
from services.catalog.models import Delivery, Order, OutboxRow, Product

Headers = dict[str, str]


async def product(stock: int | None = None, *, price: int = 50_000, currency: str = "NGN", name: str = "Cup") -> UUID:
    """A product that is there already."""
    made = Product(id=uuid4(), slug=f"p-{uuid4().hex}", name=name, price=price, currency=currency, stock=stock)
    async with sessions.begin() as session:
        session.add(made)
    return made.id


async def order(
    client: httpx.AsyncClient, headers: Headers, lines: dict[UUID, int], key: str | None = None
) -> httpx.Response:
    items = [{"product_id": str(product_id), "quantity": quantity} for product_id, quantity in lines.items()]
    sent = {**headers, "Idempotency-Key": key} if key else headers
    return await client.post("/catalog/orders", json={"items": items}, headers=sent)


async def placed(client: httpx.AsyncClient, headers: Headers, lines: dict[UUID, int]) -> UUID:
    answer = await order(client, headers, lines)
    assert answer.status_code == 201, answer.text
    return UUID(answer.json()["id"])


async def left(product_id: UUID) -> int | None:
    async with sessions() as session:
        return (await session.execute(select(Product.stock).where(Product.id == product_id))).scalar_one()


async def status(order_id: UUID) -> str:
    async with sessions() as session:
        return (await session.execute(select(Order.status).where(Order.id == order_id))).scalar_one()


async def deliveries() -> dict[UUID, str]:
    async with sessions() as session:
        found = await session.execute(select(Delivery.order_id, Delivery.payment_reference))
        return {row.order_id: row.payment_reference for row in found}


async def told() -> list[tuple[str, str]]:
    """Reference and reason of each order.undeliverable in the outbox."""
    async with sessions() as session:
        bodies = (await session.execute(select(OutboxRow.body).order_by(OutboxRow.id))).scalars()
    events = [OrderUndeliverable.model_validate_json(body) for body in bodies]
    return [(event.data.reference, event.data.reason) for event in events]


async def time_is_over(order_id: UUID) -> None:
    """Make an order's reservation end a moment ago."""
    async with sessions.begin() as session:
        await session.execute(
            update(Order).where(Order.id == order_id).values(expires_at=text("now() - interval '1 s'"))
        )


async def handle(*events: Event) -> None:
    """What the worker does with a batch, once."""
    async with sessions.begin() as session:
        await fulfil(session, events)


async def sweep() -> int:
    """What the worker does about time, once."""
    async with sessions.begin() as session:
        return await expire(session)


def _data(order_id: UUID, reference: str, amount: int, currency: str) -> dict[str, Any]:
    return {"reference": reference, "order_id": order_id, "amount": amount, "currency": currency}


def succeeded(order_id: UUID, reference: str, amount: int = 50_000, currency: str = "NGN") -> PaymentSucceeded:
    data = PaymentSucceededData(**_data(order_id, reference, amount, currency), paid_amount=amount)
    return PaymentSucceeded(subject=str(order_id), data=data)


def refunded(
    order_id: UUID, reference: str, refunded_amount: int = 50_000, amount: int = 50_000, currency: str = "NGN"
) -> PaymentRefunded:
    data = PaymentRefundedData(**_data(order_id, reference, amount, currency), refunded_amount=refunded_amount)
    return PaymentRefunded(subject=str(order_id), data=data)


def about(paid: PaymentSucceeded) -> list[Event]:
    """Whatever payments may say of one payment on its way to being paid, and of a dispute that is won."""
    facts = paid.data.model_dump(include={"reference", "order_id", "amount", "currency"})
    due_at = datetime(2026, 11, 25, tzinfo=UTC)
    held = PaymentHeldData(**facts, reason="amount_differs", paid_amount=1, paid_currency="NGN")
    return [
        PaymentFailed(subject=paid.subject, data=PaymentFailedData(**facts, reason="Declined")),
        PaymentHeld(subject=paid.subject, data=held),
        paid,
        PaymentDisputed(subject=paid.subject, data=PaymentDisputedData(**facts, dispute_id=1, due_at=due_at)),
        PaymentDisputeResolved(
            subject=paid.subject, data=PaymentDisputeResolvedData(**facts, dispute_id=1, lost=False)
        ),
    ]
