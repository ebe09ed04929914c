"""Writes movements into the books, in the transaction of what they tell."""

from collections.abc import Iterable

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.payments.ledger.movements import Movement

RECORD = text(
    # Both sides of every movement that is not in the books yet, however many, in one statement.
    """
    WITH told AS (
        SELECT * FROM unnest(
            CAST(:keys AS text[]), CAST(:kinds AS text[]), CAST(:payments AS bigint[]), CAST(:times AS timestamptz[]),
            CAST(:intos AS text[]), CAST(:out_ofs AS text[]), CAST(:currencies AS text[]), CAST(:amounts AS bigint[])
        ) AS told (key, kind, payment_id, occurred_at, into_account, out_of_account, currency, amount)
    ), made AS (
        INSERT INTO ledger_transactions (key, kind, payment_id, occurred_at)
        SELECT key, kind, payment_id, coalesce(occurred_at, now()) FROM told
        ON CONFLICT (key) DO NOTHING
        RETURNING id, key
    )
    INSERT INTO ledger_entries (transaction_id, line, account, currency, amount)
    SELECT made.id, side.line, side.account, told.currency, side.amount
    FROM made
    JOIN told USING (key)
    CROSS JOIN LATERAL (
        VALUES (1, told.into_account, told.amount), (2, told.out_of_account, -told.amount)
    ) AS side (line, account, amount)
    """
)


async def record(session: AsyncSession, movements: Iterable[Movement]) -> None:
    """Told again, a movement is not written again; nothing is no movement."""
    told = list({movement.key: movement for movement in movements if movement.amount}.values())
    if not told:
        return
    await session.execute(
        RECORD,
        {
            "keys": [movement.key for movement in told],
            "kinds": [movement.kind for movement in told],
            "payments": [movement.payment_id for movement in told],
            "times": [movement.occurred_at for movement in told],
            "intos": [movement.into for movement in told],
            "out_ofs": [movement.out_of for movement in told],
            "currencies": [movement.currency for movement in told],
            "amounts": [movement.amount for movement in told],
        },
    )
