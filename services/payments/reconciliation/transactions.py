"""Compare our payments with the transactions that Paystack lists, one day at a time.

Paystack's list may be out of date, and a payment may change during the comparison. So a payment that differs is verified and read again,
and reported only if it still differs.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import chain
from typing import NamedTuple

from sqlalchemy import ARRAY, Text, any_, bindparam, literal, select, update

from kit.db.bulk import table_of
from services.payments.ledger import journal, movements
from services.payments.models import Payment
from services.payments.paystack.charge import Charge
from services.payments.paystack.transactions import TransactionPage
from services.payments.reconciliation.differences import ComparedPayment, add_differences, describe
from services.payments.reconciliation.paystack_reader import PaystackReader
from services.payments.reconciliation.report import DifferenceKind, Report
from services.payments.settings import settings
from services.payments.unrelated_charges.record import find_unrelated

BATCH = 1000
DAY = timedelta(days=1)
COLUMNS = tuple(table_of(Payment).c[name] for name in ComparedPayment._fields)


class Listed(NamedTuple):
    """The ids of the payments on a page of charges, and the number of its paid charges that are not ours."""

    payment_ids: set[int]
    unrelated: int


class TransactionComparison:
    """Compares our payments with the transactions that Paystack lists."""

    def __init__(self, reader: PaystackReader) -> None:
        self.reader = reader
        self.sessions = reader.sessions
        self.report = reader.report

    async def compare(self) -> None:
        """Compare the transactions and payments created in the period.

        Raises PaystackError and Interrupted, as PaystackReader.read does.
        """
        start = self.report.since
        while start < self.report.until:
            end = min(start + DAY, self.report.until)
            listed_ids = await self._compare_transactions(start, end)
            await self._compare_payments(start, end, listed_ids)
            start = end

    async def _compare_transactions(self, start: datetime, end: datetime) -> set[int]:
        """Compare the transactions that Paystack lists. Return the ids of their payments."""
        listed_ids: set[int] = set()
        page_number, is_last = 0, False
        while not is_last:
            page_number += 1
            page = await self._page(start, end, page_number)
            self.report.transactions += len(page.charges)
            for reason in page.unreadable:
                self.report.add(DifferenceKind.UNREADABLE, there=reason)
            listed = await self.compare_listed(page.charges)
            listed_ids |= listed.payment_ids
            self.report.unrelated += listed.unrelated
            is_last = page.last
        return listed_ids

    async def _page(self, start: datetime, end: datetime, number: int) -> TransactionPage:
        return await self.reader.read(
            "other_calls", lambda: self.reader.paystack.transactions.list_created(start, end, number)
        )

    async def compare_listed(self, charges: Sequence[Charge]) -> Listed:
        """Compare a page of charges, and record the fees that were unknown. Charges that are not ours are only counted."""
        payments = await self._find_payments([charge.reference for charge in charges])
        await self._record_fees([charge for charge in charges if _has_new_fee(payments.get(charge.reference), charge)])
        async with self.sessions() as session:
            references = {charge.reference for charge in charges} - payments.keys()
            unrelated_references = await find_unrelated(session, references)
        unrelated = 0
        for charge in charges:
            if charge.reference in unrelated_references:
                unrelated += charge.paid
            elif not self._agrees(payments.get(charge.reference), charge):
                await self.verify_and_report(charge.reference)
        return Listed({payment.id for payment in payments.values()}, unrelated)

    async def _compare_payments(self, start: datetime, end: datetime, listed_ids: set[int]) -> None:
        """Verify the payments that are paid here and that Paystack did not list."""
        paid = (Payment.paid_amount.is_not(None), Payment.domain == settings.mode)
        query = select(Payment.id, Payment.reference).where(
            Payment.created_at >= start, Payment.created_at < end, *paid
        )
        last_id = 0
        while True:
            batch = query.where(Payment.id > last_id).order_by(Payment.id).limit(BATCH)
            async with self.sessions() as session:
                rows = (await session.execute(batch)).all()
            self.report.payments += len(rows)
            for payment_id, reference in rows:
                last_id = payment_id
                if payment_id not in listed_ids:
                    await self.verify_and_report(reference)
            if len(rows) < BATCH:
                return

    async def verify_and_report(self, reference: str) -> None:
        """Verify one transaction, read the payment again, and report the differences that remain.

        If the report is full, only count one more difference.
        """
        if self.report.full:
            self.report.more += 1
            return
        charge = await self.reader.read("verify", lambda: self.reader.paystack.transactions.verify(reference))
        payment = (await self._find_payments([reference])).get(reference)
        if charge is not None:
            if _has_new_fee(payment, charge):
                await self._record_fees([charge])
                payment = (await self._find_payments([reference])).get(reference)
            add_differences(self.report, payment, charge)
        elif payment is not None and payment.paid_amount is not None:
            self.report.add(DifferenceKind.MISSING_THERE, reference=reference, here=describe(payment))

    def _agrees(self, payment: ComparedPayment | None, charge: Charge) -> bool:
        trial = Report(since=self.report.since, until=self.report.until)
        add_differences(trial, payment, charge)
        return trial.agrees

    async def _find_payments(self, references: Sequence[str]) -> dict[str, ComparedPayment]:
        query = select(*COLUMNS).where(Payment.reference == any_(literal(list(references), ARRAY(Text))))
        async with self.sessions() as session:
            payments = [ComparedPayment(*row) for row in await session.execute(query)]
        return {payment.reference: payment for payment in payments}

    async def _record_fees(self, charges: Sequence[Charge]) -> None:
        """Store fees that were unknown when the payment was settled, and record them in the ledger."""
        if not charges:
            return
        by_reference = {charge.reference: charge for charge in charges}
        without_fee = select(Payment.id, Payment.reference).where(
            Payment.reference.in_(by_reference), Payment.fees.is_(None)
        )
        set_fee = update(Payment.__table__).where(Payment.__table__.c.id == bindparam("b_id"))  # type: ignore[arg-type]
        async with self.sessions.begin() as session:
            rows = (await session.execute(without_fee.order_by(Payment.id).with_for_update())).all()
            if rows:
                values = [{"b_id": row.id, "fees": by_reference[row.reference].fees} for row in rows]
                await (await session.connection()).execute(set_fee.values(fees=bindparam("fees")), values)
            fees = [movements.fee(row.id, by_reference[row.reference], settings.mode) for row in rows]
            await journal.record(session, chain.from_iterable(fees))
        self.report.fees_recorded += len(rows)


def _has_new_fee(payment: ComparedPayment | None, charge: Charge) -> bool:
    """Return True if Paystack reports the fee of a payment whose fee is unknown here."""
    if payment is None or payment.paid_amount is None or not charge.paid:
        return False
    return payment.fees is None and charge.fees is not None and payment.paid_currency == charge.currency
