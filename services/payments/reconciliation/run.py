"""Reconcile: compare the ledger, our payments and Paystack for a period, and report every difference.

    our payments   ── transactions.py ──► Paystack's transactions (differences.py compares one payment)
    our payments   ── payouts.py ───────► Paystack's settlements
    the ledger     ── ledger_check.py ──► our payments

The comparison records new payouts, the payments that each payout contains, and fees that were unknown until now. It corrects nothing else:
an operator decides about the differences.
"""

from datetime import timedelta

from services.payments.reconciliation import ledger_check
from services.payments.reconciliation.payouts import PayoutComparison
from services.payments.reconciliation.paystack_reader import PaystackReader
from services.payments.reconciliation.transactions import TransactionComparison


async def compare(reader: PaystackReader, unsettled_after: timedelta) -> None:
    """Fill the report of `reader` with the differences of its period.

    Money that was paid longer ago than `unsettled_after` and is in no payout is a difference. Raises PaystackError and
    Interrupted, as PaystackReader.read does.
    """
    transactions = TransactionComparison(reader)
    payouts = PayoutComparison(reader, transactions)
    await transactions.compare()
    await payouts.compare()
    await payouts.report_not_paid_out(unsettled_after)
    await ledger_check.compare(reader.sessions, reader.report)
