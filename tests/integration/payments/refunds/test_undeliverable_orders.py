"""Money for an order that catalog cannot deliver is refunded once, however often and however late the event arrives."""

import pytest
from sqlalchemy import update

from contracts.events import OrderUndeliverable, OrderUndeliverableData, UndeliverableReason
from services.payments.db import sessions
from services.payments.models import Payment
from services.payments.refunds import undeliverable_orders
from services.payments.refunds.models import Refund
from tests.factories.payments import create_paid_payment
from tests.fixtures.payments_rows import all_refunds


def undeliverable(one: Payment) -> OrderUndeliverable:
    assert one.order_id is not None
    data = OrderUndeliverableData(
        reference=one.reference,
        order_id=one.order_id,
        amount=one.amount,
        currency=one.currency,
        reason=UndeliverableReason.CANCELLED,
    )
    return OrderUndeliverable(subject=str(one.order_id), data=data)


@pytest.mark.parametrize("status", ["requested", "processed", "failed"])
async def test_event_when_it_arrives_again_after_pruning_requests_no_second_refund(status: str) -> None:
    """A failed refund waits for an operator, who may have returned the money in another way."""
    one = await create_paid_payment()
    for _ in range(2):
        async with sessions.begin() as session:
            await undeliverable_orders.handle(session, [undeliverable(one)])
        async with sessions.begin() as session:
            await session.execute(update(Refund).values(status=status))
    assert [(refund.amount, refund.requested_by) for refund in await all_refunds()] == [(50_000, "catalog")]
