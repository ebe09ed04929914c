"""Check that the stock levels equal the sums of their movements, and that orders have reserved what the levels say."""

import asyncio

import typer
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.catalog.db import engine, sessions

# A variant without a level is unlimited: its movements add up to 0, and orders have reserved nothing. Movements of deleted variants stay.
DIFFERENCES = text("""
SELECT id AS variant_id, coalesce(levels.on_hand, 0) AS on_hand, coalesce(levels.reserved, 0) AS reserved,
    coalesce(moved.on_hand, 0) AS moved_on_hand, coalesce(moved.reserved, 0) AS moved_reserved,
    coalesce(items.reserved, 0) AS items_reserved
FROM variants
LEFT JOIN stock_levels AS levels ON levels.variant_id = id
LEFT JOIN (
    SELECT variant_id, sum(on_hand_change) AS on_hand, sum(reserved_change) AS reserved
    FROM stock_movements GROUP BY variant_id
) AS moved ON moved.variant_id = id
LEFT JOIN (
    SELECT variant_id, sum(quantity) AS reserved FROM order_items WHERE stock_state = 'reserved' GROUP BY variant_id
) AS items ON items.variant_id = id
WHERE coalesce(levels.on_hand, 0) <> coalesce(moved.on_hand, 0)
OR coalesce(levels.reserved, 0) <> coalesce(moved.reserved, 0)
OR coalesce(levels.reserved, 0) <> coalesce(items.reserved, 0)
ORDER BY id LIMIT 100
""")


async def find_differences(session: AsyncSession) -> list[str]:
    """Return a sentence for each of up to 100 variants whose level is wrong."""
    return [
        f"{row.variant_id}: the level is {row.on_hand} on hand and {row.reserved} reserved; "
        f"the movements add up to {row.moved_on_hand} and {row.moved_reserved}, and orders have reserved {row.items_reserved}"
        for row in await session.execute(DIFFERENCES)
    ]


def check_stock() -> None:
    """Print the differences and exit with status 1, or print that there are none."""
    found = asyncio.run(_check())
    for difference in found:
        typer.echo(difference, err=True)
    if found:
        raise typer.Exit(1)
    typer.echo("all stock levels equal the sums of their movements")


async def _check() -> list[str]:
    try:
        async with sessions() as session:
            return await find_differences(session)
    finally:
        await engine.dispose()
