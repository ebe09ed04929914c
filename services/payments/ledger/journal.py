"""Write movements of money into the ledger, in the database transaction that writes the change to which they belong."""

from collections.abc import Iterable

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.payments.ledger.movements import Movement

RECORD = text(
    # One statement inserts both entries of every movement whose key is not in the ledger yet.
    """
    WITH movements AS (
        SELECT * FROM unnest(
            CAST(:keys AS text[]), CAST(:kinds AS text[]), CAST(:payment_ids AS bigint[]),
            CAST(:occurred_ats AS timestamptz[]), CAST(:debited AS text[]), CAST(:credited AS text[]),
            CAST(:currencies AS text[]), CAST(:amounts AS bigint[])
        ) AS movements (key, kind, payment_id, occurred_at, debited, credited, currency, amount)
    ), inserted AS (
        INSERT INTO ledger_transactions (key, kind, payment_id, occurred_at)
        SELECT key, kind, payment_id, coalesce(occurred_at, now()) FROM movements
        ON CONFLICT (key) DO NOTHING
        RETURNING id, key
    )
    INSERT INTO ledger_entries (transaction_id, line, account, currency, amount)
    SELECT inserted.id, entry.line, entry.account, movements.currency, entry.amount
    FROM inserted
    JOIN movements USING (key)
    CROSS JOIN LATERAL (
        VALUES (1, movements.debited, movements.amount), (2, movements.credited, -movements.amount)
    ) AS entry (line, account, amount)
    """
)


async def record(session: AsyncSession, movements: Iterable[Movement]) -> None:
    """Record movements. Movements whose key is already in the ledger and movements of amount 0 are ignored."""
    unique = list({movement.key: movement for movement in movements if movement.amount}.values())
    if not unique:
        return
    await session.execute(
        RECORD,
        {
            "keys": [movement.key for movement in unique],
            "kinds": [movement.kind for movement in unique],
            "payment_ids": [movement.payment_id for movement in unique],
            "occurred_ats": [movement.occurred_at for movement in unique],
            "debited": [movement.debited for movement in unique],
            "credited": [movement.credited for movement in unique],
            "currencies": [movement.currency for movement in unique],
            "amounts": [movement.amount for movement in unique],
        },
    )
