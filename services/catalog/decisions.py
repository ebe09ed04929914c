"""What a payment's event does to its order. Rules only: they are told what is, and say what shall be.

Events come late, twice and in any order; whatever the order, the end is the same. An order moves forward only:

    pending ──► delivered ──► refunded        pending ──► cancelled
    pending ──► expired ──► delivered         (paid late, while there is enough left)
    pending, expired ──► refunded             (the refund was told before the payment)
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from contracts.events import (
    OrderUndeliverable,
    OrderUndeliverableData,
    PaymentData,
    PaymentRefunded,
    PaymentRefundedData,
    PaymentSucceeded,
    UndeliverableReason,
    event_id_for,
)

Reason = Literal["expired_and_sold_out", "cancelled", "already_paid", "unknown_order", "amount_differs"]
Outcome = Literal["awaited", "delivered", "undeliverable", "refunded"]


class ReferenceOfAnotherOrder(Exception):
    """One payment reference for two orders: payments never does that, so a person has to look."""


@dataclass(slots=True)
class OrderStanding:
    """An order as it is. `items`: quantity by product; filled for orders whose stock may move."""

    status: str
    amount: int
    currency: str
    payment_reference: str | None = None
    items: dict[UUID, int] = field(default_factory=dict)


@dataclass(slots=True)
class PaymentStanding:
    """What became of a payment. `awaited`: only refunds of it were told so far."""

    order_id: UUID
    outcome: Outcome
    refunded_amount: int = 0


@dataclass(slots=True)
class Standing:
    """What is, before and after each event. `left`: stock by product, None where it is unlimited."""

    orders: dict[UUID, OrderStanding]
    payments: dict[str, PaymentStanding]
    left: dict[UUID, int | None] = field(default_factory=dict)
    # What has changed.
    moved: set[UUID] = field(default_factory=set)
    told: set[str] = field(default_factory=set)
    delivered: dict[UUID, str] = field(default_factory=dict)
    given_back: set[UUID] = field(default_factory=set)
    taken_again: set[UUID] = field(default_factory=set)
    undeliverable: list[OrderUndeliverable] = field(default_factory=list)

    def apply(self, events: Iterable[PaymentSucceeded | PaymentRefunded]) -> None:
        for event in events:
            if isinstance(event, PaymentSucceeded):
                self._succeeded(event)
            else:
                self._refunded(event)

    def _succeeded(self, event: PaymentSucceeded) -> None:
        data = event.data
        payment = self._payment(data)
        if payment.outcome != "awaited":
            return
        returned = payment.refunded_amount >= data.amount
        obstacle = self._obstacle(data)
        if obstacle is not None:
            payment.outcome = "refunded" if returned else "undeliverable"
            if not returned:
                self._tell(event, obstacle)
            return
        order = self.orders[data.order_id]
        if returned:
            payment.outcome = "refunded"
            if order.status == "pending":
                self._give_back(data.order_id)
            self._move(data.order_id, "refunded", data.reference)
        else:
            payment.outcome = "delivered"
            if order.status == "expired":
                self._take_again(data.order_id)
            self._move(data.order_id, "delivered", data.reference)
            self.delivered[data.order_id] = data.reference

    def _payment(self, data: PaymentData) -> PaymentStanding:
        payment = self.payments.setdefault(data.reference, PaymentStanding(data.order_id, "awaited"))
        if payment.order_id != data.order_id:
            raise ReferenceOfAnotherOrder(data.reference)
        self.told.add(data.reference)
        return payment

    def _obstacle(self, data: PaymentData) -> Reason | None:
        order = self.orders.get(data.order_id)
        if order is None:
            return "unknown_order"
        if (order.amount, order.currency) != (data.amount, data.currency):
            return "amount_differs"
        if order.payment_reference is not None:
            return "already_paid"
        if order.status == "cancelled":
            return "cancelled"
        if order.status == "expired" and not self._enough_for(order):
            return "expired_and_sold_out"
        return None

    def _enough_for(self, order: OrderStanding) -> bool:
        lefts = ((self.left[product], quantity) for product, quantity in order.items.items())
        return all(left is None or left >= quantity for left, quantity in lefts)

    def _refunded(self, event: PaymentRefunded) -> None:
        data = event.data
        payment = self._payment(data)
        payment.refunded_amount = max(payment.refunded_amount, _given_back(data))
        order = self.orders.get(data.order_id)
        if order is not None and payment.outcome == "delivered" and payment.refunded_amount >= order.amount:
            payment.outcome = "refunded"
            self._move(data.order_id, "refunded", data.reference)
            self._give_back(data.order_id)

    def _move(self, order_id: UUID, status: str, reference: str) -> None:
        order = self.orders[order_id]
        order.status, order.payment_reference = status, reference
        self.moved.add(order_id)

    def _give_back(self, order_id: UUID) -> None:
        self._shift(order_id, 1)
        self.given_back.add(order_id)

    def _take_again(self, order_id: UUID) -> None:
        self._shift(order_id, -1)
        self.taken_again.add(order_id)

    def _shift(self, order_id: UUID, sign: int) -> None:
        for product, quantity in self.orders[order_id].items.items():
            left = self.left[product]
            self.left[product] = None if left is None else left + sign * quantity

    def _tell(self, event: PaymentSucceeded, reason: Reason) -> None:
        data = OrderUndeliverableData(
            reference=event.data.reference,
            order_id=event.data.order_id,
            amount=event.data.amount,
            currency=event.data.currency,
            reason=UndeliverableReason(reason),
        )
        self.undeliverable.append(undeliverable(data, event.traceparent))


def undeliverable(data: OrderUndeliverableData, traceparent: str | None = None) -> OrderUndeliverable:
    """The event; told again it is the same one."""
    told = event_id_for("order.undeliverable", data.reference)
    return OrderUndeliverable(id=told, subject=str(data.order_id), traceparent=traceparent, data=data)


def _given_back(data: PaymentRefundedData) -> int:
    """How much of the order's amount went back. Where more or less than that was paid, all of it is back only when payments says so."""
    if data.fully_refunded is None:
        return data.refunded_amount
    return data.amount if data.fully_refunded else min(data.refunded_amount, max(data.amount - 1, 0))
