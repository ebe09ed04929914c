"""What catalog cannot deliver for is given back once, however often and however late it is told."""

import pytest
from sqlalchemy import update

from contracts.events import OrderUndeliverable, OrderUndeliverableData
from services.payments.db import sessions
from services.payments.models import Payment
from services.payments.refunds import undeliverable_orders
from services.payments.refunds.models import Refund
from tests.payments.complaints import paid, refunds


def told(one: Payment) -> OrderUndeliverable:
    assert one.order_id is not None
    data = OrderUndeliverableData(
        reference=one.reference, order_id=one.order_id, amount=one.amount, currency=one.currency, reason="cancelled"
    )
    return OrderUndeliverable(subject=str(one.order_id), data=data)


@pytest.mark.parametrize("become", ["requested", "processed", "failed"])
async def test_told_again_after_the_inbox_has_forgotten_it(become: str) -> None:
    """One that failed is a person's by now, who may have given the money back by another way."""
    one = await paid()
    for _ in range(2):
        async with sessions.begin() as session:
            await undeliverable_orders.handle(session, [told(one)])
        async with sessions.begin() as session:
            await session.execute(update(Refund).values(status=become))
    assert [(refund.amount, refund.requested_by) for refund in await refunds()] == [(50_000, "catalog")]
