"""Whether the ledger says of each payment what the payment itself says."""

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from services.payments.models import Payment
from services.payments.reconciliation.report import DifferenceKind, Report

BATCH = 1000

DIFFERING = text(
    # Payments whose movements do not add up to what they say was received, kept by Paystack, given back and held.
    """
    SELECT * FROM (
        SELECT p.reference,
            coalesce(p.paid_amount, 0) AS received,
            CASE WHEN p.paid_amount IS NULL THEN 0 ELSE coalesce(p.fees, 0) END AS fee,
            p.refunded_amount AS refunded,
            CASE WHEN p.held_reason IS NULL THEN 0 ELSE coalesce(p.paid_amount, 0) - p.refunded_amount END AS held,
            coalesce(b.received, 0)::bigint AS received_booked,
            coalesce(b.fee, 0)::bigint AS fee_booked,
            coalesce(b.refunded, 0)::bigint AS refunded_booked,
            coalesce(-b.held, 0)::bigint AS held_booked
        FROM payments p
        CROSS JOIN LATERAL (
            SELECT sum(e.amount) FILTER (WHERE t.kind = 'received' AND e.line = 1) AS received,
                sum(e.amount) FILTER (WHERE t.kind = 'fee' AND e.line = 1) AS fee,
                sum(e.amount) FILTER (WHERE t.kind = 'refunded' AND e.line = 1) AS refunded,
                sum(e.amount) FILTER (WHERE e.account = 'held') AS held
            FROM ledger_transactions t JOIN ledger_entries e ON e.transaction_id = t.id
            WHERE t.payment_id = p.id
        ) AS b
        WHERE p.id BETWEEN :first AND :last AND p.created_at >= :since AND p.created_at < :until
    ) AS sides
    WHERE (received, fee, refunded, held) <> (received_booked, fee_booked, refunded_booked, held_booked)
    ORDER BY reference
    """
)


async def compare(sessions: async_sessionmaker[AsyncSession], report: Report) -> None:
    """A batch of payments a statement; adds `ledger_differs` to the report."""
    within = (Payment.created_at >= report.since, Payment.created_at < report.until)
    async with sessions() as session:
        bounds = select(func.coalesce(func.min(Payment.id), 0), func.coalesce(func.max(Payment.id), -1)).where(*within)
        first, last = (await session.execute(bounds)).one()
    for start in range(first, last + 1, BATCH):
        batch = {"first": start, "last": min(start + BATCH - 1, last), "since": report.since, "until": report.until}
        async with sessions() as session:
            found = (await session.execute(DIFFERING, batch)).all()
        for row in found:
            for side in ("received", "fee", "refunded", "held"):
                said, booked = getattr(row, side), getattr(row, f"{side}_booked")
                if said != booked:
                    report.add(
                        DifferenceKind.LEDGER_DIFFERS,
                        reference=row.reference,
                        here=f"the payment says {side} {said}, the ledger {booked}",
                    )
