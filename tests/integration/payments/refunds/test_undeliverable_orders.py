"""Money for an order that catalog cannot deliver is refunded once, however often and however late the event arrives."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update

from contracts.events import OrderUndeliverable, OrderUndeliverableData
from contracts.reasons import UndeliverableReason
from services.payments.db import sessions
from services.payments.models import Payment
from services.payments.refunds import undeliverable_orders
from services.payments.refunds.models import Refund
from tests.factories.payments import create_paid_payment, create_payment
from tests.fixtures.payments_rows import all_refunds


def undeliverable(one: Payment, **changes: Any) -> OrderUndeliverable:
    """Return the event that catalog publishes about a payment, with `changes`, as a forger would make them."""
    facts = {
        "reference": one.reference,
        "order_id": one.order_id,
        "amount": one.amount,
        "currency": one.currency,
        "reason": UndeliverableReason.CANCELLED,
    }
    data = OrderUndeliverableData.model_validate({**facts, **changes})
    return OrderUndeliverable(subject=str(data.order_id), data=data)


async def handle(*events: OrderUndeliverable) -> Mapping[UUID, str]:
    """Handle events as the worker does. Return the contradictions, by the id of the event."""
    async with sessions.begin() as session:
        return await undeliverable_orders.handle(session, events)


@pytest.mark.parametrize("status", ["requested", "processed", "failed"])
async def test_event_when_it_arrives_again_after_pruning_requests_no_second_refund(status: str) -> None:
    """A failed refund waits for an operator, who may have returned the money in another way."""
    one = await create_paid_payment()
    for _ in range(2):
        assert await handle(undeliverable(one)) == {}
        async with sessions.begin() as session:
            await session.execute(update(Refund).values(status=status))
    assert [(refund.amount, refund.requested_by) for refund in await all_refunds()] == [(50_000, "catalog")]


OTHER_ORDER = UUID("11111111-2222-4333-8444-555555555555")


@pytest.mark.parametrize(
    ("forged", "reason"),
    [
        ({"reference": "pay-unknown"}, "there is no payment pay-unknown"),
        ({"order_id": OTHER_ORDER}, "payment {reference} is for order {order}; the event names order {other}"),
        ({"amount": 1}, "the event states NGN 0.01; the amount of payment {reference} is NGN 500.00"),
        ({"currency": "GHS"}, "the event states GHS 500.00; the amount of payment {reference} is NGN 500.00"),
        (
            {"reason": UndeliverableReason.ALREADY_PAID},
            "payment {reference} is the only one that paid for order {order}",
        ),
    ],
)
async def test_event_when_it_contradicts_its_payment_has_no_effect_and_the_others_are_refunded(
    forged: dict[str, Any], reason: str
) -> None:
    one, other = await create_paid_payment(), await create_paid_payment()
    event = undeliverable(one, **forged)
    expected = reason.format(reference=one.reference, order=one.order_id, other=OTHER_ORDER)
    assert await handle(event, undeliverable(other)) == {event.id: expected}
    assert [refund.payment_id for refund in await all_refunds()] == [other.id]


@pytest.mark.parametrize("status", ["pending", "failed", "abandoned", "held", "refunded"])
async def test_event_when_its_payment_has_never_succeeded_has_no_effect(status: str) -> None:
    one = await create_payment(status=status, held_reason="amount_differs" if status in {"held", "refunded"} else None)
    event = undeliverable(one)
    assert await handle(event) == {
        event.id: f"payment {one.reference} is {status}: no payment.succeeded was published for it"
    }
    assert await all_refunds() == []


async def test_event_when_the_other_payment_was_refunded_while_it_was_held_is_held() -> None:
    """That payment never paid for the order."""
    first = await create_paid_payment(status="refunded", held_reason="amount_differs", refunded_amount=50_000)
    second = await create_paid_payment(order_id=first.order_id)
    event = undeliverable(second, reason=UndeliverableReason.ALREADY_PAID)
    expected = f"payment {second.reference} is the only one that paid for order {second.order_id}"
    assert await handle(event) == {event.id: expected}
    assert await all_refunds() == []


async def test_event_when_another_payment_paid_for_the_order_requests_a_refund() -> None:
    first = await create_paid_payment()
    second = await create_paid_payment(order_id=first.order_id)
    assert await handle(undeliverable(second, reason=UndeliverableReason.ALREADY_PAID)) == {}
    assert [refund.payment_id for refund in await all_refunds()] == [second.id]
