"""The refund rules: what happens to the units of an order when money is paid back to the customer. This module does no I/O.

docs/catalog.md has the same table, and a test compares them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from services.catalog.statuses import OrderStatus, ProductKind


class UnitState(StrEnum):
    """How far a unit of a paid order is."""

    UNFULFILLED = "unfulfilled"
    """Not shipped, also if it is packed; a service that was not performed."""

    SHIPPED = "shipped"
    """Shipped, also if it has arrived."""

    DIGITAL_DELIVERED = "delivered digital"
    SERVICE_DELIVERED = "delivered service"


class RepaymentKind(StrEnum):
    """How the customer got money of a payment back: by refunds, or by a lost dispute."""

    PARTIAL_REFUND = "partial refund"
    """A part of the amount, by refunds or by lost disputes."""

    FULL_REFUND = "full refund"
    DISPUTE_LOST = "dispute lost"
    """The whole amount, and the bank took back at least a part of it after a lost dispute."""


@dataclass(frozen=True, slots=True)
class RefundRule:
    """`restocked`: the unit goes back into the stock. `status`: that of the order afterwards; None if it stays the same."""

    restocked: bool
    status: OrderStatus | None
    customer_sees: str


_PARTIAL = "`partially_refunded`, `refunded_amount`; the order continues"
_FULL = "`refunded`, `refunded_amount`"
_LOST = "`refunded`, `refunded_amount`, `dispute_lost` of the payment"

REFUND_RULES: Mapping[tuple[UnitState, RepaymentKind], RefundRule] = {
    (UnitState.UNFULFILLED, RepaymentKind.PARTIAL_REFUND): RefundRule(False, None, _PARTIAL),
    (UnitState.UNFULFILLED, RepaymentKind.FULL_REFUND): RefundRule(True, OrderStatus.REFUNDED, _FULL),
    (UnitState.UNFULFILLED, RepaymentKind.DISPUTE_LOST): RefundRule(True, OrderStatus.REFUNDED, _LOST),
    (UnitState.SHIPPED, RepaymentKind.PARTIAL_REFUND): RefundRule(False, None, _PARTIAL),
    (UnitState.SHIPPED, RepaymentKind.FULL_REFUND): RefundRule(False, OrderStatus.REFUNDED, _FULL),
    (UnitState.SHIPPED, RepaymentKind.DISPUTE_LOST): RefundRule(False, OrderStatus.REFUNDED, _LOST),
    (UnitState.DIGITAL_DELIVERED, RepaymentKind.PARTIAL_REFUND): RefundRule(False, None, _PARTIAL),
    (UnitState.DIGITAL_DELIVERED, RepaymentKind.FULL_REFUND): RefundRule(False, OrderStatus.REFUNDED, _FULL),
    (UnitState.DIGITAL_DELIVERED, RepaymentKind.DISPUTE_LOST): RefundRule(False, OrderStatus.REFUNDED, _LOST),
    (UnitState.SERVICE_DELIVERED, RepaymentKind.PARTIAL_REFUND): RefundRule(False, None, _PARTIAL),
    (UnitState.SERVICE_DELIVERED, RepaymentKind.FULL_REFUND): RefundRule(False, OrderStatus.REFUNDED, _FULL),
    (UnitState.SERVICE_DELIVERED, RepaymentKind.DISPUTE_LOST): RefundRule(False, OrderStatus.REFUNDED, _LOST),
}


@dataclass(frozen=True, slots=True)
class PaidItem:
    """An item of an order. `shipped` and `delivered` are numbers of units, which `states` ignores for a digital item."""

    kind: ProductKind
    quantity: int
    shipped: int = 0
    delivered: int = 0

    def states(self) -> Iterator[tuple[UnitState, int]]:
        """Yield how many units of the item of a paid order are in each state. Digital units were delivered with the payment."""
        match self.kind:
            case ProductKind.DIGITAL:
                state, units = UnitState.DIGITAL_DELIVERED, self.quantity
            case ProductKind.SERVICE:
                state, units = UnitState.SERVICE_DELIVERED, self.delivered
            case ProductKind.SHIPPED:
                state, units = UnitState.SHIPPED, self.shipped
        yield state, units
        yield UnitState.UNFULFILLED, self.quantity - units

    def units_to_restock(self, kind: RepaymentKind) -> int:
        """Return how many units go back into the stock."""
        return sum(units for state, units in self.states() if REFUND_RULES[state, kind].restocked)


def repayment_kind(*, fully_refunded: bool, dispute_lost: bool) -> RepaymentKind:
    """Return how money went back to the customer. `fully_refunded`: the whole amount was paid back."""
    if not fully_refunded:
        return RepaymentKind.PARTIAL_REFUND
    return RepaymentKind.DISPUTE_LOST if dispute_lost else RepaymentKind.FULL_REFUND


def status_after(kind: RepaymentKind) -> OrderStatus | None:
    """Return the order's status afterwards, None if it stays the same. It does not depend on the state of the units."""
    return REFUND_RULES[UnitState.UNFULFILLED, kind].status
