"""Whether our books, our payments and Paystack agree about the money of a period; each difference is named.

    the ledger     ── books.py ──────► our payments
    our payments   ── statements.py ─► Paystack's transactions
    our payments   ── payouts.py ────► Paystack's settlements; those are recorded on the way, and fees that were not told before

Nothing else is mended: a difference is for a person.
"""

from datetime import timedelta

from services.payments.reconciliation import ledger_check
from services.payments.reconciliation.payouts import Payouts
from services.payments.reconciliation.paystack_reader import PaystackReader
from services.payments.reconciliation.transactions import Transactions


async def compare(inquiry: PaystackReader, unsettled_after: timedelta) -> None:
    """Of what began in the report's period. Raises PaystackError where Paystack cannot be asked in the end, or Interrupted."""
    statements = Transactions(inquiry)
    payouts = Payouts(inquiry, statements)
    await statements.compare()
    await payouts.compare()
    await payouts.name_unsettled(unsettled_after)
    await ledger_check.compare(inquiry.sessions, inquiry.report)
