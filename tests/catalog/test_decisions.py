"""The rules alone: whatever the order of the events, the end is that of the order in which they happened."""

import random
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import asdict
from typing import Any
from uuid import UUID, uuid4

from contracts.events import PaymentRefunded, PaymentSucceeded
from services.catalog.decisions import OrderStanding, Standing
from tests.catalog.shop import refunded, succeeded

Told = Sequence[PaymentSucceeded | PaymentRefunded]


def end(before: Standing, events: Told) -> dict[str, Any]:
    """How everything stands afterwards. Which of two payments was the one that counted is left to who came first."""
    standing = deepcopy(before)
    standing.apply(events)
    return {
        "orders": {key: (order.status, order.payment_reference) for key, order in standing.orders.items()},
        "payments": {key: asdict(payment) for key, payment in standing.payments.items()},
        "left": standing.left,
    }


def order(product: UUID, quantity: int) -> OrderStanding:
    return OrderStanding("pending", 50_000, "NGN", items={product: quantity})


def test_a_hundred_shuffles_end_as_it_happened() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    for _ in range(100):
        cup = uuid4()
        ids = [uuid4() for _ in range(5)]
        before = Standing({key: order(cup, 1) for key in ids[:4]}, {}, left={cup: 6})
        delivered, returned, in_parts, partly, unknown = ids
        events: list[PaymentSucceeded | PaymentRefunded] = [
            succeeded(delivered, "a"),
            succeeded(returned, "b"),
            refunded(returned, "b"),
            succeeded(in_parts, "c"),
            *(refunded(in_parts, "c", total) for total in (10_000, 20_000, 50_000)),
            succeeded(partly, "d"),
            refunded(partly, "d", 30_000),
            succeeded(unknown, "e"),
        ]
        as_it_happened = end(before, events)
        assert {status for status, _ in as_it_happened["orders"].values()} == {"delivered", "refunded"}
        assert as_it_happened["left"] == {cup: 8}
        shuffled = events + dice.choices(events, k=5)
        dice.shuffle(shuffled)
        assert end(before, shuffled) == as_it_happened, shuffled
