"""Decide how payment events change orders. This module does no I/O and reads no settings.

Events may be repeated, late and in any sequence. If an order has one payment, every sequence of the payment's events leads to the same
final status of the order, and to the same stock of the items that staff fulfil. Digital items are delivered with the payment and stay sold.
If the refund was reported before the payment, they are not delivered, and their stock is released. ORDER_TRANSITIONS in statuses.py lists
all transitions of an order.

An event that contradicts an order or an earlier event changes nothing: the payments service never publishes one, so an operator must
investigate.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from contracts.events import (
    OrderUndeliverable,
    OrderUndeliverableData,
    PaymentData,
    PaymentDisputeResolved,
    PaymentRefunded,
    PaymentRefundedData,
    PaymentSucceeded,
    event_id_for,
)
from contracts.money import format_money
from contracts.reasons import UndeliverableReason
from services.catalog.fulfilment.refund_rules import PaidItem, repayment_kind, status_after
from services.catalog.statuses import OrderStatus, PaymentOutcome

ApplicableEvent = PaymentSucceeded | PaymentRefunded | PaymentDisputeResolved
"""The events that change orders or their payments."""

PAID_NOT_REFUNDED = frozenset({PaymentOutcome.PAID, PaymentOutcome.DELIVERED})
"""The outcomes of a payment that paid for its order and is not fully refunded."""


@dataclass(slots=True)
class OrderState:
    """An order. `items`: those with limited stock, by variant id; loaded only if the order may change how many units can be ordered."""

    status: OrderStatus
    amount: int
    currency: str
    payment_reference: str | None = None
    needs_fulfilment: bool = False
    metadata: dict[str, str] = field(default_factory=dict)
    items: dict[UUID, PaidItem] = field(default_factory=dict)


@dataclass(slots=True)
class PaymentState:
    """A payment and its effect on the order. `refunded_amount`: how much of the order's amount was refunded, in subunits.

    An operator can accept a payment in another currency than that of the order. What is refunded of it is no part of the order's amount:
    `refunded_in_other_currency` counts it, in subunits of `other_currency`.
    """

    order_id: UUID
    outcome: PaymentOutcome
    refunded_amount: int = 0
    refunded_in_other_currency: int = 0
    other_currency: str | None = None
    fully_refunded: bool = False
    dispute_lost: bool = False


@dataclass(slots=True)
class OrdersAndPayments:
    """Orders by id, payments by reference, and orderable units by variant id (without unlimited variants). `apply` updates them.

    The other fields contain the changes that must be stored or published. `paid_by`: by order id, the event of the payment that pays for it
    in this batch. `restocked`: for the orders that were paid and are refunded now, how many units of each variant go back into the stock.
    """

    orders: dict[UUID, OrderState]
    payments: dict[str, PaymentState]
    orderable: dict[UUID, int] = field(default_factory=dict)
    changed_orders: set[UUID] = field(default_factory=set)
    changed_payments: set[str] = field(default_factory=set)
    paid_by: dict[UUID, PaymentSucceeded] = field(default_factory=dict)
    restocked: dict[UUID, dict[UUID, int]] = field(default_factory=dict)
    released: set[UUID] = field(default_factory=set)
    reserved_again: set[UUID] = field(default_factory=set)
    undeliverable: list[OrderUndeliverable] = field(default_factory=list)
    contradictions: dict[UUID, str] = field(default_factory=dict)

    def apply(self, events: Iterable[ApplicableEvent]) -> None:
        """Apply the events in the given order. `contradictions` gets the events, by id, that were not applied, with the reason."""
        for event in events:
            if contradiction := self._find_contradiction(event.data):
                self.contradictions[event.id] = contradiction
            elif isinstance(event, PaymentSucceeded):
                self._apply_payment(event)
            elif isinstance(event, PaymentRefunded):
                self._apply_refund(event)
            elif event.data.lost:
                self._find_or_add_payment(event.data).dispute_lost = True

    def delivered(self) -> set[UUID]:
        """Return the ids of the orders that these events have delivered, also of those that were refunded afterwards."""
        return {order_id for order_id in self.paid_by if not self.orders[order_id].needs_fulfilment}

    def _find_contradiction(self, data: PaymentData) -> str | None:
        """Compare the facts of an event with the order and with earlier events. Return what differs."""
        payment, order = self.payments.get(data.reference), self.orders.get(data.order_id)
        if payment is not None and payment.order_id != data.order_id:
            return (
                f"payment {data.reference} belongs to order {payment.order_id}; the event names order {data.order_id}"
            )
        if order is not None and (order.amount, order.currency) != (data.amount, data.currency):
            stated, known = format_money(data.amount, data.currency), format_money(order.amount, order.currency)
            return f"the event states {stated}; the amount of order {data.order_id} is {known}"
        if payment is not None and isinstance(data, PaymentRefundedData):
            earlier = payment.other_currency or (data.currency if payment.refunded_amount else None)
            if earlier not in {None, currency := _refunded_currency(data)}:
                return f"the event states a refund in {currency}; earlier refunds of payment {data.reference} were in {earlier}"
        return None

    def _apply_payment(self, event: PaymentSucceeded) -> None:
        data = event.data
        payment = self._find_or_add_payment(data)
        if payment.outcome != PaymentOutcome.AWAITED:
            return
        already_refunded = payment.fully_refunded
        reason = self._why_undeliverable(data)
        if reason is not None:
            payment.outcome = PaymentOutcome.UNDELIVERABLE
            if not already_refunded:
                self.undeliverable.append(
                    build_undeliverable_event(self._undeliverable_data(event, reason), event.traceparent)
                )
            return
        order = self.orders[data.order_id]
        if already_refunded:
            payment.outcome = PaymentOutcome.REFUNDED
            if order.status == OrderStatus.PENDING:
                self._release_stock(data.order_id)
            self._change_order(data.order_id, OrderStatus.REFUNDED, data.reference)
        else:
            if order.status == OrderStatus.EXPIRED:
                self._reserve_stock_again(data.order_id)
            waits = order.needs_fulfilment
            payment.outcome = PaymentOutcome.PAID if waits else PaymentOutcome.DELIVERED
            self._change_order(data.order_id, OrderStatus.PAID if waits else OrderStatus.DELIVERED, data.reference)
            self.paid_by[data.order_id] = event

    def _undeliverable_data(self, event: PaymentSucceeded, reason: UndeliverableReason) -> OrderUndeliverableData:
        order = self.orders.get(event.data.order_id)
        return OrderUndeliverableData(
            reference=event.data.reference,
            order_id=event.data.order_id,
            amount=event.data.amount,
            currency=event.data.currency,
            reason=reason,
            metadata={} if order is None else order.metadata,
        )

    def _find_or_add_payment(self, data: PaymentData) -> PaymentState:
        """Return the payment of an event, which will be stored."""
        self.changed_payments.add(data.reference)
        return self.payments.setdefault(data.reference, PaymentState(data.order_id, PaymentOutcome.AWAITED))

    def _why_undeliverable(self, data: PaymentData) -> UndeliverableReason | None:
        order = self.orders.get(data.order_id)
        if order is None:
            return UndeliverableReason.UNKNOWN_ORDER
        # An order of amount 0 is paid or delivered without a payment.
        if order.payment_reference is not None or order.status in {OrderStatus.PAID, OrderStatus.DELIVERED}:
            return UndeliverableReason.ALREADY_PAID
        if order.status == OrderStatus.CANCELLED:
            return UndeliverableReason.CANCELLED
        if order.status == OrderStatus.EXPIRED and not self._has_stock_for(order):
            return UndeliverableReason.EXPIRED_AND_SOLD_OUT
        return None

    def _has_stock_for(self, order: OrderState) -> bool:
        return all(
            variant_id not in self.orderable or self.orderable[variant_id] >= item.quantity
            for variant_id, item in order.items.items()
        )

    def _apply_refund(self, event: PaymentRefunded) -> None:
        data = event.data
        payment = self._find_or_add_payment(data)
        if (currency := _refunded_currency(data)) == data.currency:
            payment.refunded_amount = max(payment.refunded_amount, _refunded_order_amount(data))
        elif data.refunded_amount:
            payment.refunded_in_other_currency = max(payment.refunded_in_other_currency, data.refunded_amount)
            payment.other_currency = currency
        payment.fully_refunded = payment.fully_refunded or _is_full_refund(data)
        order = self.orders.get(data.order_id)
        if order is None or payment.outcome not in PAID_NOT_REFUNDED:
            return
        kind = repayment_kind(fully_refunded=payment.fully_refunded, dispute_lost=payment.dispute_lost)
        status = status_after(kind)
        if status is not None:
            payment.outcome = PaymentOutcome.REFUNDED
            self._change_order(data.order_id, status, data.reference)
            units = {variant_id: item.units_to_restock(kind) for variant_id, item in order.items.items()}
            self.restocked[data.order_id] = units
            self._add_to_orderable(units)

    def _change_order(self, order_id: UUID, status: OrderStatus, reference: str) -> None:
        order = self.orders[order_id]
        order.status, order.payment_reference = status, reference
        self.changed_orders.add(order_id)

    def _release_stock(self, order_id: UUID) -> None:
        self._add_to_orderable({variant_id: item.quantity for variant_id, item in self.orders[order_id].items.items()})
        self.released.add(order_id)

    def _reserve_stock_again(self, order_id: UUID) -> None:
        self._add_to_orderable({variant_id: -item.quantity for variant_id, item in self.orders[order_id].items.items()})
        self.reserved_again.add(order_id)

    def _add_to_orderable(self, units: Mapping[UUID, int]) -> None:
        for variant_id, number in units.items():
            if variant_id in self.orderable:
                self.orderable[variant_id] += number


def build_undeliverable_event(data: OrderUndeliverableData, traceparent: str | None = None) -> OrderUndeliverable:
    """Return `order.undeliverable`. Its id depends only on the reference of the payment, so a republished event has the same id."""
    event_id = event_id_for("order.undeliverable", data.reference)
    return OrderUndeliverable(id=event_id, subject=str(data.order_id), traceparent=traceparent, data=data)


def _refunded_currency(data: PaymentRefundedData) -> str:
    return data.refunded_currency or data.currency


def _is_full_refund(data: PaymentRefundedData) -> bool:
    """Return True if the whole paid amount was refunded. Without `fully_refunded`, amounts in one currency are compared."""
    if data.fully_refunded is not None:
        return data.fully_refunded
    return _refunded_currency(data) == data.currency and data.refunded_amount >= data.amount


def _refunded_order_amount(data: PaymentRefundedData) -> int:
    """Return how much of the order's amount was refunded, in subunits. The refund is in the currency of the order.

    The payer may have paid more or less than the order's amount. So if the event has `fully_refunded`, that field decides whether the whole
    amount was refunded. What was paid too much is refunded first.
    """
    if data.fully_refunded is None:
        return data.refunded_amount
    if data.fully_refunded:
        return data.amount
    return min(max(data.refunded_amount - data.overpaid_amount, 0), max(data.amount - 1, 0))
