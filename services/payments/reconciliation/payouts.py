"""Payouts to our bank: what Paystack calls settlements, recorded as they are seen, and which payments came in each."""

from datetime import timedelta

from sqlalchemy import func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from services.payments.ledger import journal, movements
from services.payments.ledger.models import Payout
from services.payments.models import Payment, PaymentStatus
from services.payments.paystack.charge import Charge
from services.payments.paystack.settlements import PaystackSettlement, SettlementPage
from services.payments.paystack.transactions import TransactionPage
from services.payments.reconciliation.paystack_reader import PaystackReader
from services.payments.reconciliation.report import MAX_DIFFERENCES, DifferenceKind
from services.payments.reconciliation.transactions import Transactions
from services.payments.settings import settings


class Payouts:
    def __init__(self, inquiry: PaystackReader, statements: Transactions) -> None:
        self.inquiry = inquiry
        self.sessions = inquiry.sessions
        self.report = inquiry.report
        self.statements = statements

    async def compare(self) -> None:
        """All payouts since the beginning of the period, up to now: what was paid in it is paid out later.

        Raises PaystackError where Paystack cannot be asked in the end, or Interrupted.
        """
        page, last = 0, False
        while not last:
            page += 1
            listing = await self._page(page)
            for reason in listing.unreadable:
                self.report.add(DifferenceKind.UNREADABLE, there=reason)
            recent = [payout for payout in listing.payouts if payout.created_at >= self.report.since]
            for payout in recent:
                if payout.domain == settings.domain:
                    self.report.payouts += 1
                    await self._compare(payout)
            # The newest come first: a page of old ones only is the end.
            last = listing.last or not (recent or listing.unreadable)

    async def _page(self, page: int) -> SettlementPage:
        return await self.inquiry.ask("others", lambda: self.inquiry.paystack.settlements.page(page))

    async def _transactions(self, payout: PaystackSettlement, page: int) -> TransactionPage:
        return await self.inquiry.ask("others", lambda: self.inquiry.paystack.settlements.transactions(payout.id, page))

    async def _compare(self, payout: PaystackSettlement) -> None:
        done = payout.status == "success"
        if done:
            await self._record(payout)
        processed, fees, page, last = 0, 0, 0, False
        while not last:
            page += 1
            listing = await self._transactions(payout, page)
            for reason in listing.unreadable:
                self.report.add(DifferenceKind.UNREADABLE, payout=payout.id, there=reason)
            processed += sum(charge.amount for charge in listing.charges)
            fees += sum(charge.fees or 0 for charge in listing.charges)
            await self.statements.compare_listed(listing.charges)
            if done:
                await self._came_in(payout, listing.charges)
            last = listing.last
        self._add_up(payout, processed, fees)

    def _add_up(self, payout: PaystackSettlement, processed: int, fees: int) -> None:
        told = {"processed": payout.processed, "fees": payout.fees, "paid out": payout.amount}
        summed = {
            "processed": processed,
            "fees": fees,
            "paid out": payout.processed - payout.fees - payout.deductions,
        }
        for name, amount in told.items():
            if amount != summed[name]:
                self.report.add(
                    DifferenceKind.PAYOUT_DIFFERS,
                    payout=payout.id,
                    here=f"{name} {summed[name]}",
                    there=f"{name} {amount}",
                )

    async def _record(self, told: PaystackSettlement) -> None:
        payout = Payout(
            id=told.id, amount=told.amount, fees=told.fees, currency=told.currency, paid_out_at=told.paid_out_at
        )
        values = {name: getattr(payout, name) for name in ("id", "amount", "fees", "currency", "paid_out_at")}
        async with self.sessions.begin() as session:
            new = insert(Payout).values(values).on_conflict_do_nothing().returning(Payout.id)
            if (await session.execute(new)).scalar_one_or_none() is not None:
                self.report.payouts_recorded += 1
                await journal.record(session, [movements.settled(payout)])
                return
            known = (await session.execute(select(Payout.amount, Payout.currency).where(Payout.id == told.id))).one()
        if known != (told.amount, told.currency):
            self.report.add(
                DifferenceKind.PAYOUT_DIFFERS,
                payout=told.id,
                here=f"recorded as {known.amount} {known.currency}",
                there=f"{told.amount} {told.currency}",
            )

    async def _came_in(self, payout: PaystackSettlement, charges: list[Charge]) -> None:
        references = [charge.reference for charge in charges]
        async with self.sessions.begin() as session:
            # Locked in the order in which settlement locks.
            known = select(Payment.id).where(
                Payment.reference.in_(references), or_(Payment.payout_id.is_(None), Payment.payout_id != payout.id)
            )
            ours = (await session.execute(known.order_by(Payment.id).with_for_update())).scalars().all()
            came = update(Payment).where(Payment.id.in_(ours)).values(payout_id=payout.id)
            await session.execute(came)

    async def name_unsettled(self, after: timedelta) -> None:
        """Payments of the period that were paid longer ago than `after`, and came in no payout."""
        query = (
            select(Payment.reference, Payment.paid_amount, Payment.paid_currency, Payment.paid_at, func.count().over())
            .where(
                Payment.created_at >= self.report.since,
                Payment.created_at < self.report.until,
                Payment.status == PaymentStatus.SUCCEEDED,
                Payment.paid_amount > 0,
                Payment.domain == settings.domain,
                Payment.payout_id.is_(None),
                func.coalesce(Payment.paid_at, Payment.created_at) < func.now() - after,
            )
            .order_by(Payment.id)
            .limit(MAX_DIFFERENCES)
        )
        async with self.sessions() as session:
            found = (await session.execute(query)).all()
        for reference, amount, currency, paid_at, _ in found:
            here = f"{amount} {currency}, paid {paid_at:%Y-%m-%d}" if paid_at else f"{amount} {currency}"
            self.report.add(DifferenceKind.UNSETTLED, reference=reference, here=here)
        if found:
            self.report.more += found[0][-1] - len(found)
