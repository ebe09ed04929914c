"""Compare the amounts of each payment with its entries in the ledger."""

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from services.payments.models import Payment
from services.payments.reconciliation.report import DifferenceKind, Report

BATCH = 1000

DIFFERING = text(
    # Payments whose ledger entries do not add up to their received, fee, refunded and held amounts.
    """
    SELECT * FROM (
        SELECT p.reference,
            coalesce(p.paid_amount, 0) AS received,
            CASE WHEN p.paid_amount IS NULL THEN 0 ELSE coalesce(p.fees, 0) END AS fee,
            p.refunded_amount AS refunded,
            CASE WHEN p.held_reason IS NULL THEN 0 ELSE coalesce(p.paid_amount, 0) - p.refunded_amount END AS held,
            coalesce(recorded.received, 0)::bigint AS received_recorded,
            coalesce(recorded.fee, 0)::bigint AS fee_recorded,
            coalesce(recorded.refunded, 0)::bigint AS refunded_recorded,
            coalesce(-recorded.held, 0)::bigint AS held_recorded
        FROM payments p
        CROSS JOIN LATERAL (
            SELECT sum(e.amount) FILTER (WHERE t.kind = 'received' AND e.line = 1) AS received,
                sum(e.amount) FILTER (WHERE t.kind = 'fee' AND e.line = 1) AS fee,
                sum(e.amount) FILTER (WHERE t.kind = 'refunded' AND e.line = 1) AS refunded,
                sum(e.amount) FILTER (WHERE e.account = 'held') AS held
            FROM ledger_transactions t JOIN ledger_entries e ON e.transaction_id = t.id
            WHERE t.payment_id = p.id
        ) AS recorded
        WHERE p.id BETWEEN :first AND :last AND p.created_at >= :since AND p.created_at < :until
    ) AS amounts
    WHERE (received, fee, refunded, held) <> (received_recorded, fee_recorded, refunded_recorded, held_recorded)
    ORDER BY reference
    """
)


async def compare(sessions: async_sessionmaker[AsyncSession], report: Report) -> None:
    """Add `ledger_differs` to the report for every amount that differs. Each statement compares 1000 payments."""
    in_period = (Payment.created_at >= report.since, Payment.created_at < report.until)
    async with sessions() as session:
        bounds = select(func.coalesce(func.min(Payment.id), 0), func.coalesce(func.max(Payment.id), -1)).where(
            *in_period
        )
        first, last = (await session.execute(bounds)).one()
    for start in range(first, last + 1, BATCH):
        batch = {"first": start, "last": min(start + BATCH - 1, last), "since": report.since, "until": report.until}
        async with sessions() as session:
            differing = (await session.execute(DIFFERING, batch)).all()
        for row in differing:
            for name in ("received", "fee", "refunded", "held"):
                amount, recorded = getattr(row, name), getattr(row, f"{name}_recorded")
                if amount != recorded:
                    report.add(
                        DifferenceKind.LEDGER_DIFFERS,
                        reference=row.reference,
                        here=f"{name}: {amount} in the payment, {recorded} in the ledger",
                    )
