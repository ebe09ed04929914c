"""Reconcile: compare the ledger, our payments, Paystack and the deliveries of catalog for a period, and report every difference.

    our payments   ── transactions.py ──► Paystack's transactions (differences.py compares one payment)
    our payments   ── payouts.py ───────► Paystack's settlements
    the ledger     ── ledger_check.py ──► our payments
    our payments   ── deliveries.py ────► catalog's deliveries, if payments has a client application to read them

The comparison records new payouts, the payments that each payout contains, and fees that were unknown until now. It corrects nothing else:
an operator decides about the differences.
"""

from datetime import timedelta

from sqlalchemy import select

from kit.db.counting import count_up_to
from services.payments.deliveries_client import DeliveriesClient
from services.payments.models import Payment
from services.payments.reconciliation import ledger_check
from services.payments.reconciliation.deliveries import DeliveryComparison
from services.payments.reconciliation.payouts import PayoutComparison
from services.payments.reconciliation.paystack_reader import PaystackReader
from services.payments.reconciliation.transactions import TransactionComparison
from services.payments.settings import settings

NO_CLIENT = "The deliveries of catalog: PAYMENTS_CLIENT_SECRET is not set."


async def compare(
    reader: PaystackReader, not_paid_out_after: timedelta, deliveries: DeliveriesClient | None = None
) -> None:
    """Fill the report of `reader` with the differences of its period.

    Money that was paid longer ago than `not_paid_out_after` and is in no payout is a difference. Without `deliveries`, these are not
    compared. Raises PaystackError and Interrupted, as PaystackReader.read does, and DeliveriesUnavailable.
    """
    transactions = TransactionComparison(reader)
    payouts = PayoutComparison(reader, transactions)
    await transactions.compare()
    await payouts.compare()
    await payouts.report_not_paid_out(not_paid_out_after)
    await ledger_check.compare(reader.sessions, reader.report)
    reader.report.not_compared += await _not_compared(reader, not_paid_out_after)
    if deliveries is not None:
        await DeliveryComparison(reader.sessions, reader.report, deliveries).compare()
    else:
        reader.report.not_compared.append(NO_CLIENT)


async def _not_compared(reader: PaystackReader, not_paid_out_after: timedelta) -> list[str]:
    """Return sentences that say what the comparison left out."""
    report = reader.report
    sentences = [
        f"Payments started before {report.since:%Y-%m-%d %H:%M} UTC or at {report.until:%Y-%m-%d %H:%M} UTC or later, "
        "and transactions that Paystack created then.",
        "Single refunds and disputes: only the status, the amount and the fee of their payments.",
        f"Whether payments of the last {not_paid_out_after.days} days are in a payout.",
    ]
    other_mode = select(Payment.id).where(
        Payment.created_at >= report.since,
        Payment.created_at < report.until,
        Payment.paid_amount.is_not(None),
        Payment.domain != settings.mode,
    )
    async with reader.sessions() as session:
        in_other_mode = await count_up_to(session, other_mode)
    if in_other_mode:
        sentences.append(
            f"{in_other_mode} payments that were not made in {settings.mode} mode: only with the ledger, not with Paystack."
        )
    if report.unrelated:
        sentences.append(
            f"{report.unrelated} transactions of other applications on the Paystack account: their references are not ours."
        )
    return sentences
