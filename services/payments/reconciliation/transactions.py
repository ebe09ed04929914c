"""Our payments against the transactions that Paystack lists, a day at a time.

A list may be behind, and a payment may move while it is compared: what differs is asked for by itself, and named only if it differs then
too.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ARRAY, Text, any_, bindparam, literal, select, update

from contracts.events import HeldReason
from kit.db.bulk import table_of
from services.payments.ledger import journal, movements
from services.payments.models import Payment, PaymentStatus
from services.payments.paystack.charge import Charge
from services.payments.paystack.transactions import TransactionPage
from services.payments.reconciliation.paystack_reader import PaystackReader
from services.payments.reconciliation.report import DifferenceKind, Report
from services.payments.settings import settings
from services.payments.settlement.rules import REVERSED

BATCH = 1000
DAY = timedelta(days=1)
KEPT = frozenset(
    {PaymentStatus.SUCCEEDED, PaymentStatus.DISPUTED, PaymentStatus.HELD, PaymentStatus.PARTIALLY_REFUNDED}
)
AGREE = {
    "success": KEPT,
    "reversal-pending": KEPT | {PaymentStatus.REFUNDED},
    "reversed": frozenset({PaymentStatus.DISPUTED, PaymentStatus.PARTIALLY_REFUNDED, PaymentStatus.REFUNDED}),
}
"""What a paid transaction may be at Paystack, and what its payment may be here then."""


class OurPayment(NamedTuple):
    """The columns of a payment that are compared."""

    id: int
    reference: str
    status: PaymentStatus
    held_reason: HeldReason | None
    paid_amount: int | None
    paid_currency: str | None
    refunded_amount: int
    fees: int | None


COLUMNS = tuple(table_of(Payment).c[name] for name in OurPayment._fields)


class Transactions:
    def __init__(self, inquiry: PaystackReader) -> None:
        self.inquiry = inquiry
        self.sessions = inquiry.sessions
        self.report = inquiry.report

    async def compare(self) -> None:
        """Raises PaystackError where Paystack cannot be asked in the end, or Interrupted."""
        start = self.report.since
        while start < self.report.until:
            end = min(start + DAY, self.report.until)
            await self._compare_ours(start, end, await self._compare_theirs(start, end))
            start = end

    async def _compare_theirs(self, start: datetime, end: datetime) -> set[int]:
        """Answers which of our payments were listed."""
        seen: set[int] = set()
        page, last = 0, False
        while not last:
            page += 1
            listing = await self._page(start, end, page)
            self.report.transactions += len(listing.charges)
            for reason in listing.unreadable:
                self.report.add(DifferenceKind.UNREADABLE, there=reason)
            seen |= await self.compare_listed(listing.charges)
            last = listing.last
        return seen

    async def _page(self, start: datetime, end: datetime, page: int) -> TransactionPage:
        return await self.inquiry.ask(
            "others", lambda: self.inquiry.paystack.transactions.list_created(start, end, page)
        )

    async def compare_listed(self, charges: Sequence[Charge]) -> set[int]:
        """Compare one page, and write down the fees that were not known before. Answers our payments among them."""
        ours = await self._ours([charge.reference for charge in charges])
        await self._learn_fees([charge for charge in charges if _tells_fee(ours.get(charge.reference), charge)])
        for charge in charges:
            if not self._agree(ours.get(charge.reference), charge):
                await self.confirm(charge.reference)
        return {row.id for row in ours.values()}

    async def _compare_ours(self, start: datetime, end: datetime, seen: set[int]) -> None:
        """What we say was paid and Paystack did not list."""
        paid = (Payment.paid_amount.is_not(None), Payment.domain == settings.domain)
        query = select(Payment.id, Payment.reference).where(
            Payment.created_at >= start, Payment.created_at < end, *paid
        )
        after = 0
        while True:
            batch = query.where(Payment.id > after).order_by(Payment.id).limit(BATCH)
            async with self.sessions() as session:
                found = (await session.execute(batch)).all()
            self.report.payments += len(found)
            for payment_id, reference in found:
                after = payment_id
                if payment_id not in seen:
                    await self.confirm(reference)
            if len(found) < BATCH:
                return

    async def confirm(self, reference: str) -> None:
        """Ask about this one, look at ours anew, and name what differs still."""
        if self.report.full:
            self.report.more += 1
            return
        charge = await self.inquiry.ask("verify", lambda: self.inquiry.paystack.transactions.verify(reference))
        ours = (await self._ours([reference])).get(reference)
        if charge is not None:
            if _tells_fee(ours, charge):
                await self._learn_fees([charge])
                ours = (await self._ours([reference])).get(reference)
            self._name(ours, charge)
        elif ours is not None and ours.paid_amount is not None:
            self.report.add(DifferenceKind.MISSING_THERE, reference=reference, here=_here(ours))

    def _agree(self, ours: OurPayment | None, charge: Charge) -> bool:
        trial = Report(since=self.report.since, until=self.report.until)
        _name_differences(trial, ours, charge)
        return trial.agrees

    def _name(self, ours: OurPayment | None, charge: Charge) -> None:
        _name_differences(self.report, ours, charge)

    async def _ours(self, references: Sequence[str]) -> dict[str, OurPayment]:
        query = select(*COLUMNS).where(Payment.reference == any_(literal(list(references), ARRAY(Text))))
        async with self.sessions() as session:
            rows = [OurPayment(*row) for row in await session.execute(query)]
        return {row.reference: row for row in rows}

    async def _learn_fees(self, charges: Sequence[Charge]) -> None:
        """Fees that were null when the payment settled."""
        if not charges:
            return
        told = {charge.reference: charge for charge in charges}
        unknown = select(Payment.id, Payment.reference).where(Payment.reference.in_(told), Payment.fees.is_(None))
        write = update(Payment.__table__).where(Payment.__table__.c.id == bindparam("b_id"))  # type: ignore[arg-type]
        async with self.sessions.begin() as session:
            rows = (await session.execute(unknown.order_by(Payment.id).with_for_update())).all()
            if rows:
                values = [{"b_id": row.id, "fees": told[row.reference].fees} for row in rows]
                await (await session.connection()).execute(write.values(fees=bindparam("fees")), values)
            await journal.record(
                session, [m for row in rows for m in movements.fee(row.id, told[row.reference], settings.domain)]
            )
        self.report.fees_learned += len(rows)


def _tells_fee(ours: OurPayment | None, charge: Charge) -> bool:
    if ours is None or ours.paid_amount is None or not charge.paid:
        return False
    return ours.fees is None and charge.fees is not None and ours.paid_currency == charge.currency


def _name_differences(report: Report, ours: OurPayment | None, charge: Charge) -> None:
    there = f"{charge.status}, {charge.amount} {charge.currency}"
    if ours is None:
        if charge.paid:
            report.add(DifferenceKind.MISSING_HERE, reference=charge.reference, there=there)
        return
    came = ours.paid_amount is not None
    if came != charge.paid or (came and not _same_standing(ours, charge)):
        report.add(DifferenceKind.STATUS_DIFFERS, reference=charge.reference, here=_here(ours), there=there)
    if not came or not charge.paid:
        return
    if (ours.paid_amount, ours.paid_currency) != (charge.amount, charge.currency):
        report.add(DifferenceKind.AMOUNT_DIFFERS, reference=charge.reference, here=_here(ours), there=there)
    if ours.fees is not None and charge.fees is not None and ours.fees != charge.fees:
        report.add(DifferenceKind.FEE_DIFFERS, reference=charge.reference, here=str(ours.fees), there=str(charge.fees))


def _same_standing(ours: OurPayment, charge: Charge) -> bool:
    if ours.status == PaymentStatus.HELD and ours.held_reason == HeldReason.REVERSED:
        return charge.status in REVERSED
    # Held money of which a part went back stands there like any other of which a part did.
    partly = ours.status == PaymentStatus.HELD and ours.refunded_amount > 0
    return (PaymentStatus.PARTIALLY_REFUNDED if partly else ours.status) in AGREE[charge.status]


def _here(ours: OurPayment) -> str:
    standing = f"{ours.status} ({ours.held_reason})" if ours.held_reason else ours.status
    return standing if ours.paid_amount is None else f"{standing}, {ours.paid_amount} {ours.paid_currency}"
