"""Compare Paystack's payouts, which it calls settlements, with their transactions and with our records.

Record the new payouts, and which payments each payout contains.
"""

from datetime import timedelta

from sqlalchemy import func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from contracts.money import format_money
from services.payments.ledger import journal, movements
from services.payments.ledger.models import Payout
from services.payments.models import Payment
from services.payments.paystack.charge import Charge
from services.payments.paystack.settlements import PaystackSettlement, SettlementPage
from services.payments.paystack.transactions import TransactionPage
from services.payments.reconciliation.paystack_reader import PaystackReader
from services.payments.reconciliation.report import MAX_DIFFERENCES, DifferenceKind
from services.payments.reconciliation.transactions import TransactionComparison
from services.payments.settings import settings
from services.payments.statuses import PaymentStatus


class PayoutComparison:
    """Compares the payouts that Paystack lists. `transactions` compares the transactions that each payout contains."""

    def __init__(self, reader: PaystackReader, transactions: TransactionComparison) -> None:
        self.reader = reader
        self.sessions = reader.sessions
        self.report = reader.report
        self.transactions = transactions

    async def compare(self) -> None:
        """Compare all payouts from the start of the period until now, because a payment can be paid out after the period.

        Raises PaystackError and Interrupted, as PaystackReader.read does.
        """
        page_number, is_last = 0, False
        while not is_last:
            page_number += 1
            page = await self._settlement_page(page_number)
            for reason in page.unreadable:
                self.report.add(DifferenceKind.UNREADABLE, there=reason)
            recent = [settlement for settlement in page.settlements if settlement.created_at >= self.report.since]
            for settlement in recent:
                if settlement.domain == settings.mode:
                    self.report.payouts += 1
                    await self._compare_settlement(settlement)
            # Paystack lists the newest payouts first: if all on a page are older than the period, the next pages are older too.
            is_last = page.last or not (recent or page.unreadable)

    async def _settlement_page(self, number: int) -> SettlementPage:
        return await self.reader.read("other_calls", lambda: self.reader.paystack.settlements.page(number))

    async def _transaction_page(self, settlement: PaystackSettlement, number: int) -> TransactionPage:
        return await self.reader.read(
            "other_calls", lambda: self.reader.paystack.settlements.transactions(settlement.id, number)
        )

    async def _compare_settlement(self, settlement: PaystackSettlement) -> None:
        is_paid_out = settlement.status == "success"
        if is_paid_out:
            await self._record(settlement)
        processed, fees, page_number, is_last = 0, 0, 0, False
        while not is_last:
            page_number += 1
            page = await self._transaction_page(settlement, page_number)
            for reason in page.unreadable:
                self.report.add(DifferenceKind.UNREADABLE, payout=settlement.id, there=reason)
            processed += sum(charge.amount for charge in page.charges)
            fees += sum(charge.fees or 0 for charge in page.charges)
            await self.transactions.compare_listed(page.charges)
            if is_paid_out:
                await self._link_payments(settlement, page.charges)
            is_last = page.last
        self._compare_sums(settlement, processed, fees)

    def _compare_sums(self, settlement: PaystackSettlement, processed: int, fees: int) -> None:
        """Compare the sums that Paystack reports with those of the transactions that it lists for the settlement.

        Also check that the amount paid out is the processed amount minus the fees minus the deductions.
        """
        reported = {"processed": settlement.processed, "fees": settlement.fees, "paid out": settlement.amount}
        computed = {
            "processed": processed,
            "fees": fees,
            "paid out": settlement.processed - settlement.fees - settlement.deductions,
        }
        for name, amount in reported.items():
            if amount != computed[name]:
                self.report.add(
                    DifferenceKind.PAYOUT_DIFFERS,
                    payout=settlement.id,
                    here=f"{name} {format_money(computed[name], settlement.currency)}",
                    there=f"{name} {format_money(amount, settlement.currency)}",
                )

    async def _record(self, settlement: PaystackSettlement) -> None:
        """Record the payout and its movement in the ledger, or compare it with the recorded payout."""
        payout = Payout(
            id=settlement.id,
            amount=settlement.amount,
            fees=settlement.fees,
            currency=settlement.currency,
            paid_out_at=settlement.paid_out_at,
        )
        values = {name: getattr(payout, name) for name in ("id", "amount", "fees", "currency", "paid_out_at")}
        async with self.sessions.begin() as session:
            new = insert(Payout).values(values).on_conflict_do_nothing().returning(Payout.id)
            if (await session.execute(new)).scalar_one_or_none() is not None:
                self.report.payouts_recorded += 1
                await journal.record(session, [movements.paid_out(payout)])
                return
            query = select(Payout.amount, Payout.currency).where(Payout.id == settlement.id)
            recorded = (await session.execute(query)).one()
        if recorded != (settlement.amount, settlement.currency):
            self.report.add(
                DifferenceKind.PAYOUT_DIFFERS,
                payout=settlement.id,
                here=f"recorded as {format_money(recorded.amount, recorded.currency)}",
                there=format_money(settlement.amount, settlement.currency),
            )

    async def _link_payments(self, settlement: PaystackSettlement, charges: list[Charge]) -> None:
        """Store the payout's id with the payments that it contains."""
        references = [charge.reference for charge in charges]
        async with self.sessions.begin() as session:
            # Locked in the order of their ids, as `settle` does, so that the two cannot deadlock.
            not_linked = select(Payment.id).where(
                Payment.reference.in_(references), or_(Payment.payout_id.is_(None), Payment.payout_id != settlement.id)
            )
            ids = (await session.execute(not_linked.order_by(Payment.id).with_for_update())).scalars().all()
            await session.execute(update(Payment).where(Payment.id.in_(ids)).values(payout_id=settlement.id))

    async def report_not_paid_out(self, after: timedelta) -> None:
        """Report the succeeded payments of the period that were paid longer ago than `after` and are in no payout."""
        query = (
            select(Payment.reference, Payment.paid_amount, Payment.paid_currency, Payment.paid_at, func.count().over())
            .where(
                Payment.created_at >= self.report.since,
                Payment.created_at < self.report.until,
                Payment.status == PaymentStatus.SUCCEEDED,
                Payment.paid_amount > 0,
                Payment.domain == settings.mode,
                Payment.payout_id.is_(None),
                func.coalesce(Payment.paid_at, Payment.created_at) < func.now() - after,
            )
            .order_by(Payment.id)
            .limit(MAX_DIFFERENCES)
        )
        async with self.sessions() as session:
            rows = (await session.execute(query)).all()
        for reference, amount, currency, paid_at, _ in rows:
            paid = format_money(amount or 0, currency or "")
            here = f"{paid}, paid {paid_at:%Y-%m-%d}" if paid_at else paid
            self.report.add(DifferenceKind.NOT_PAID_OUT, reference=reference, here=here)
        if rows:
            total = rows[0][-1]
            self.report.more += total - len(rows)
