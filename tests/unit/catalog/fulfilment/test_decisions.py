"""The rules of fulfilment without a database: the result is the same for every order of events."""

import random
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import asdict
from typing import Any
from uuid import UUID, uuid4

from contracts.events import PaymentRefunded, PaymentSucceeded
from services.catalog.fulfilment.decisions import FulfilmentState, OrderState
from services.catalog.statuses import OrderStatus
from tests.factories.events import payment_refunded, payment_succeeded

Events = Sequence[PaymentSucceeded | PaymentRefunded]


def result(before: FulfilmentState, events: Events) -> dict[str, Any]:
    """Apply the events and return the resulting orders, payments and stock."""
    state = deepcopy(before)
    state.apply(events)
    return {
        "orders": {key: (order.status, order.payment_reference) for key, order in state.orders.items()},
        "payments": {key: asdict(payment) for key, payment in state.payments.items()},
        "stock": state.stock,
    }


def pending_order(product_id: UUID, quantity: int) -> OrderState:
    return OrderState(OrderStatus.PENDING, 50_000, "NGN", quantities={product_id: quantity})


def test_apply_when_events_are_shuffled_and_repeated_then_result_is_the_same() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    for _ in range(100):
        cup = uuid4()
        ids = [uuid4() for _ in range(6)]
        before = FulfilmentState({key: pending_order(cup, 1) for key in ids[:5]}, {}, stock={cup: 6})
        delivered, refunded, refunded_in_parts, partly_refunded, cancelled, unknown = ids
        before.orders[cancelled].status = OrderStatus.CANCELLED
        events: list[PaymentSucceeded | PaymentRefunded] = [
            payment_succeeded(delivered, "a"),
            payment_succeeded(refunded, "b"),
            payment_refunded(refunded, "b"),
            payment_succeeded(refunded_in_parts, "c"),
            *(payment_refunded(refunded_in_parts, "c", total) for total in (10_000, 20_000, 50_000)),
            payment_succeeded(partly_refunded, "d"),
            payment_refunded(partly_refunded, "d", 30_000),
            payment_succeeded(unknown, "e"),
            payment_succeeded(cancelled, "f"),
            payment_refunded(cancelled, "f"),
        ]
        in_order = result(before, events)
        assert {status for status, _ in in_order["orders"].values()} == {"delivered", "refunded", "cancelled"}
        assert {in_order["payments"][reference]["outcome"] for reference in "ef"} == {"undeliverable"}
        assert in_order["stock"] == {cup: 8}
        shuffled = events + rng.choices(events, k=5)
        rng.shuffle(shuffled)
        assert result(before, shuffled) == in_order, shuffled
