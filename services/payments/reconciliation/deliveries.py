"""Compare our payments with the deliveries of catalog, one day at a time, in both directions.

    each delivery of an amount above zero ──► a payment that has succeeded, with the same order, amount and currency
    each payment that has succeeded ────────► its delivery, or its order that is paid and not delivered yet

A payment whose money went back completely, or goes back because its order cannot be delivered, needs no delivery.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ARRAY, Text, any_, exists, literal, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from contracts.money import format_money
from contracts.reasons import HeldReason
from services.payments.deliveries_client import MAX_REFERENCES, DeliveriesClient, DeliveryRow
from services.payments.models import HAS_SUCCEEDED, SUCCEEDED, Payment
from services.payments.reconciliation.report import DifferenceKind, Report
from services.payments.refunds.models import Refund
from services.payments.refunds.undeliverable_orders import REQUESTED_BY
from services.payments.statuses import PaymentStatus

BATCH = 1000
DAY = timedelta(days=1)
IN_PROGRESS = timedelta(minutes=10)
"""A payment that changed within this time may not have reached catalog yet."""

MAY_LACK_DELIVERY = frozenset({"paid", "refunded"})
"""The statuses of a paid order that may lack a delivery: it still waits for it, or it was refunded before it was delivered."""


class PaymentRow(NamedTuple):
    """The columns of a payment that are compared."""

    id: int
    reference: str
    order_id: UUID | None
    amount: int
    currency: str
    status: PaymentStatus
    held_reason: HeldReason | None
    updated_at: datetime

    @property
    def has_succeeded(self) -> bool:
        """True if payment.succeeded was published (Payment.has_succeeded)."""
        return self.status in SUCCEEDED and self.held_reason is None

    def describe(self) -> str:
        """Return the payment in words, for a report."""
        return f"{self.status}, order {self.order_id}, {format_money(self.amount, self.currency)}"


COLUMNS = tuple(getattr(Payment, name) for name in PaymentRow._fields)


class DeliveryComparison:
    """Compares our payments with the deliveries that catalog lists."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession], report: Report, client: DeliveriesClient) -> None:
        self.sessions = sessions
        self.report = report
        self.client = client
        self._in_progress = 0

    async def compare(self) -> None:
        """Compare the deliveries of the period, and the payments started in it. Raises DeliveriesUnavailable."""
        start = self.report.since
        while start < self.report.until:
            end = min(start + DAY, self.report.until)
            seen = await self._compare_deliveries(start, end)
            await self._compare_payments(start, end, seen)
            start = end
        if self._in_progress:
            self.report.not_compared.append(
                f"Whether the orders of {self._in_progress} payments that changed in the last ten minutes are delivered."
            )

    async def _compare_deliveries(self, start: datetime, end: datetime) -> set[str]:
        """Compare the deliveries of a day with their payments. Return the references of these payments."""
        seen: set[str] = set()
        async for page in self.client.delivered(start, end):
            paid = [delivery for delivery in page if delivery.amount > 0]
            self.report.deliveries += len(paid)
            references = [delivery.payment_reference for delivery in paid if delivery.payment_reference is not None]
            payments = await self._find_payments(references)
            for delivery in paid:
                self._compare(delivery, payments.get(delivery.payment_reference or ""))
            seen.update(references)
        return seen

    def _compare(self, delivery: DeliveryRow, payment: PaymentRow | None) -> None:
        reference, there = delivery.payment_reference, delivery.describe()
        if payment is None or not payment.has_succeeded:
            here = "no payment" if payment is None else payment.describe()
            self.report.add(DifferenceKind.DELIVERY_WITHOUT_PAYMENT, reference=reference, here=here, there=there)
        elif (payment.order_id, payment.amount, payment.currency) != (
            delivery.order_id,
            delivery.amount,
            delivery.currency,
        ):
            self.report.add(DifferenceKind.DELIVERY_DIFFERS, reference=reference, here=payment.describe(), there=there)

    async def _compare_payments(self, start: datetime, end: datetime, seen: set[str]) -> None:
        """Ask catalog about the payments that were started on a day and have succeeded, and whose delivery was not on that day.

        Their delivery was on another day, or there is none. `seen`: the references in the deliveries of the day.
        """
        query = select(*COLUMNS).where(
            Payment.created_at >= start,
            Payment.created_at < end,
            HAS_SUCCEEDED,
            Payment.order_id.is_not(None),
            Payment.amount > 0,
        )
        last_id = 0
        while True:
            async with self.sessions() as session:
                rows = await session.execute(query.where(Payment.id > last_id).order_by(Payment.id).limit(BATCH))
                payments = [PaymentRow(*row) for row in rows]
            others = [payment for payment in payments if payment.reference not in seen]
            for first in range(0, len(others), MAX_REFERENCES):
                await self._compare_with_their_deliveries(others[first : first + MAX_REFERENCES])
            if len(payments) < BATCH:
                return
            last_id = payments[-1].id

    async def _compare_with_their_deliveries(self, payments: Sequence[PaymentRow]) -> None:
        """Ask catalog for the orders with these payments. Report the payments without a delivery, and deliveries that differ."""
        found = {
            row.payment_reference: row for row in await self.client.of_payments([one.reference for one in payments])
        }
        missing = []
        for payment in payments:
            order = found.get(payment.reference)
            if order is None or (order.delivered_at is None and order.status not in MAY_LACK_DELIVERY):
                missing.append(payment)
            else:
                self._compare(order, payment)
        excepted = await self._refunded_as_undeliverable(missing)
        for payment in missing:
            if payment.status == PaymentStatus.REFUNDED or payment.id in excepted:
                continue
            if datetime.now(UTC) - payment.updated_at < IN_PROGRESS:
                self._in_progress += 1
                continue
            order = found.get(payment.reference)
            there = "no delivery" if order is None else order.describe()
            self.report.add(
                DifferenceKind.PAYMENT_WITHOUT_DELIVERY,
                reference=payment.reference,
                here=payment.describe(),
                there=there,
            )

    async def _find_payments(self, references: Sequence[str]) -> dict[str, PaymentRow]:
        query = select(*COLUMNS).where(Payment.reference == any_(literal(list(references), ARRAY(Text))))
        async with self.sessions() as session:
            payments = [PaymentRow(*row) for row in await session.execute(query)]
        return {payment.reference: payment for payment in payments}

    async def _refunded_as_undeliverable(self, payments: Sequence[PaymentRow]) -> set[int]:
        """Return the ids of the payments for which catalog requested a refund."""
        refund = exists().where(Refund.payment_id == Payment.id, Refund.requested_by == REQUESTED_BY)
        query = select(Payment.id).where(Payment.id.in_([payment.id for payment in payments]), refund)
        async with self.sessions() as session:
            return set((await session.execute(query)).scalars())
