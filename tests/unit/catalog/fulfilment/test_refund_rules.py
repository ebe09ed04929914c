"""The refund rules row by row: what happens to a unit, to the order and to the stock."""

from uuid import UUID, uuid4

import pytest

from services.catalog.fulfilment.decisions import ApplicableEvent, OrdersAndPayments, OrderState, PaymentState
from services.catalog.fulfilment.refund_rules import (
    REFUND_RULES,
    PaidItem,
    RepaymentKind,
    UnitState,
    repayment_kind,
    status_after,
)
from services.catalog.statuses import OrderStatus, PaymentOutcome, ProductKind
from tests.factories.events import dispute_resolved, payment_refunded
from tests.fixtures.documents import PROJECT, cells, section

UNFULFILLED, SHIPPED = UnitState.UNFULFILLED, UnitState.SHIPPED
DIGITAL, SERVICE = UnitState.DIGITAL_DELIVERED, UnitState.SERVICE_DELIVERED
PARTIAL, FULL, LOST = RepaymentKind.PARTIAL_REFUND, RepaymentKind.FULL_REFUND, RepaymentKind.DISPUTE_LOST

# Three units each; `shipped` and `delivered` as staff have recorded them.
ITEMS = {
    UNFULFILLED: PaidItem(ProductKind.SHIPPED, 3),
    SHIPPED: PaidItem(ProductKind.SHIPPED, 3, shipped=3, delivered=1),
    DIGITAL: PaidItem(ProductKind.DIGITAL, 3),
    SERVICE: PaidItem(ProductKind.SERVICE, 3, shipped=3, delivered=3),
}
ROWS = [
    (UNFULFILLED, PARTIAL, "paid", 0),
    (UNFULFILLED, FULL, "refunded", 3),
    (UNFULFILLED, LOST, "refunded", 3),
    (SHIPPED, PARTIAL, "paid", 0),
    (SHIPPED, FULL, "refunded", 0),
    (SHIPPED, LOST, "refunded", 0),
    (DIGITAL, PARTIAL, "paid", 0),
    (DIGITAL, FULL, "refunded", 0),
    (DIGITAL, LOST, "refunded", 0),
    (SERVICE, PARTIAL, "paid", 0),
    (SERVICE, FULL, "refunded", 0),
    (SERVICE, LOST, "refunded", 0),
]


def events(order_id: UUID, how: RepaymentKind) -> list[ApplicableEvent]:
    refund = payment_refunded(order_id, "r", 20_000 if how == PARTIAL else 50_000)
    return [dispute_resolved(order_id, "r", lost=True), refund] if how == LOST else [refund]


@pytest.mark.parametrize(("state", "how", "status", "restocked"), ROWS)
def test_refund_of_a_paid_order_follows_the_row_of_its_units(
    state: UnitState, how: RepaymentKind, status: str, restocked: int
) -> None:
    cup, order_id = uuid4(), uuid4()
    order = OrderState(OrderStatus.PAID, 50_000, "NGN", "r", needs_fulfilment=True, items={cup: ITEMS[state]})
    paid = PaymentState(order_id, PaymentOutcome.PAID)
    found = OrdersAndPayments({order_id: order}, {"r": paid}, orderable={cup: 1})
    found.apply(events(order_id, how))
    assert (order.status, found.orderable[cup]) == (status, 1 + restocked)
    assert found.restocked == ({order_id: {cup: restocked}} if status == "refunded" else {})
    assert paid.dispute_lost == (how == LOST)
    rule = REFUND_RULES[state, how]
    assert (rule.restocked, rule.status or OrderStatus.PAID) == (restocked > 0, status)
    assert status_after(how) == rule.status, "the status of an order does not depend on the state of its units"


def test_rows_of_this_test_are_all_rules() -> None:
    assert [(state, how) for state, how, *_ in ROWS] == list(REFUND_RULES)


def test_item_with_units_in_two_states_is_restocked_unit_by_unit() -> None:
    assert PaidItem(ProductKind.SHIPPED, 5, shipped=2, delivered=1).units_to_restock(FULL) == 3
    assert PaidItem(ProductKind.SERVICE, 5, shipped=2, delivered=2).units_to_restock(LOST) == 3


@pytest.mark.parametrize(
    ("refunded", "dispute_lost", "expected"),
    [(1, False, PARTIAL), (49_999, True, PARTIAL), (50_000, False, FULL), (50_001, False, FULL), (50_000, True, LOST)],
)
def test_repayment_kind_depends_on_the_amount_and_a_lost_dispute(
    refunded: int, dispute_lost: bool, expected: RepaymentKind
) -> None:
    order_id = uuid4()
    found = OrdersAndPayments({}, {"r": PaymentState(order_id, PaymentOutcome.PAID, dispute_lost=dispute_lost)})
    found.apply([payment_refunded(order_id, "r", refunded)])
    fully_refunded = found.payments["r"].fully_refunded
    assert repayment_kind(fully_refunded=fully_refunded, dispute_lost=dispute_lost) == expected


def test_documentation_has_the_rules() -> None:
    text = section((PROJECT / "docs" / "catalog.md").read_text(), "Refunds")
    _, _, *documented = zip(*([cell.strip() for cell in cells(text, column)] for column in range(5)), strict=True)
    expected = [
        (
            state,
            how,
            "yes" if rule.restocked else "no",
            f"`{rule.status}`" if rule.status else "same",
            rule.customer_sees,
        )
        for (state, how), rule in REFUND_RULES.items()
    ]
    assert documented == expected
