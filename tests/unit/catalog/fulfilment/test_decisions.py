"""The rules of fulfilment without a database: the result is the same in whatever sequence events arrive, and if they repeat."""

import random
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import asdict
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.catalog.fulfilment.decisions import ApplicableEvent, OrdersAndPayments, OrderState
from services.catalog.fulfilment.refund_rules import PaidItem
from services.catalog.statuses import OrderStatus, ProductKind
from tests.factories.events import dispute_resolved, payment_refunded, payment_succeeded

DIGITAL = ProductKind.DIGITAL


def result(before: OrdersAndPayments, events: Sequence[ApplicableEvent], kind: ProductKind) -> dict[str, Any]:
    """Apply the events and return the resulting orders, payments and orderable units.

    Digital units are delivered with the payment and stay sold. If the refund was reported before, they were never delivered, and their
    stock is released: these units are not counted.
    """
    state = deepcopy(before)
    state.apply(events)
    never_delivered = len(state.released) if kind == DIGITAL else 0
    return {
        "orders": {key: (order.status, order.payment_reference) for key, order in state.orders.items()},
        "payments": {key: asdict(payment) for key, payment in state.payments.items()},
        "orderable": {key: units - never_delivered for key, units in state.orderable.items()},
    }


def pending_order(product_id: UUID, kind: ProductKind) -> OrderState:
    items = {product_id: PaidItem(kind, quantity=1)}
    return OrderState(OrderStatus.PENDING, 50_000, "NGN", needs_fulfilment=kind != DIGITAL, items=items)


@pytest.mark.parametrize("kind", ProductKind)
def test_apply_when_events_are_shuffled_and_repeated_then_result_is_the_same(kind: ProductKind) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    for _ in range(100):
        cup = uuid4()
        ids = [uuid4() for _ in range(6)]
        before = OrdersAndPayments({key: pending_order(cup, kind) for key in ids[:5]}, {}, orderable={cup: 6})
        accepted, refunded, refunded_in_parts, partly_refunded, cancelled, unknown = ids
        before.orders[cancelled].status = OrderStatus.CANCELLED
        events: list[ApplicableEvent] = [
            payment_succeeded(accepted, "a"),
            payment_succeeded(refunded, "b"),
            dispute_resolved(refunded, "b", lost=True),
            payment_refunded(refunded, "b"),
            payment_succeeded(refunded_in_parts, "c"),
            *(payment_refunded(refunded_in_parts, "c", total) for total in (10_000, 20_000, 50_000)),
            payment_succeeded(partly_refunded, "d"),
            payment_refunded(partly_refunded, "d", 30_000),
            payment_succeeded(unknown, "e"),
            payment_succeeded(cancelled, "f"),
            payment_refunded(cancelled, "f"),
        ]
        unshuffled = result(before, events, kind)
        paid = "delivered" if kind == DIGITAL else "paid"
        statuses = [unshuffled["orders"][key][0] for key in ids[:5]]
        assert statuses == [paid, "refunded", "refunded", paid, "cancelled"]
        assert {unshuffled["payments"][reference]["outcome"] for reference in "ef"} == {"undeliverable"}
        assert {key for key, one in unshuffled["payments"].items() if one["dispute_lost"]} == {"b"}
        assert unshuffled["orderable"] == {cup: 6 if kind == DIGITAL else 8}
        shuffled = events + rng.choices(events, k=5)
        rng.shuffle(shuffled)
        assert result(before, shuffled, kind) == unshuffled, shuffled
