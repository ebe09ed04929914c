"""The background job that counts how many products have each word. The search chooses its plan by these numbers.

New products are counted within a minute. Changed and deleted products are counted again by a recount once a day: it makes a new generation
of the lexemes beside the current one, in small steps, and then replaces it. Outdated numbers make a search slower. A search for a whole
word finds all its products nevertheless; the beginning of a frequent word finds a new longer word only after that word was counted.
"""

from sqlalchemy import Row, TextClause, bindparam, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from kit.worker.shutdown import Shutdown
from services.catalog.search.models import LexemeProgress

BATCH = 500
"""Products that one transaction counts."""

PRUNE_BATCH = 5000
"""Rows of the replaced generation that one transaction deletes."""

INTERVAL_SECONDS = 30.0
MAX_LETTERS = 60
"""Longer words are not counted: a search for one is assumed to match few products."""

RECOUNT_AFTER = "24 hours"
Progress = Row[int, int, int | None, bool]

LOCK = text(
    """
    SELECT generation, counted_to, recounted_to, recounted_at < now() - CAST(:after AS interval) AS is_due
    FROM lexeme_progress FOR UPDATE SKIP LOCKED
    """
).bindparams(bindparam("after", RECOUNT_AFTER))
# Block tokens, which begin with #, are no words (search_vectors.py).
COUNT = text(
    """
    WITH batch AS MATERIALIZED (
        SELECT number, search FROM products WHERE number > :counted_to AND number <= :last ORDER BY number LIMIT :size
    ), counted AS (
        SELECT lexeme, count(*) AS products, bool_or(weights && ARRAY['A', 'B']) AS is_word
        FROM batch CROSS JOIN LATERAL unnest(search) AS entries (lexeme, positions, weights)
        WHERE lexeme NOT LIKE '#%' AND length(lexeme) <= :letters GROUP BY lexeme
    ), stored AS (
        INSERT INTO lexemes (generation, lexeme, products, is_word)
        SELECT :generation, lexeme, products, is_word FROM counted ORDER BY lexeme COLLATE "C"
        ON CONFLICT (generation, lexeme) DO UPDATE
        SET products = lexemes.products + excluded.products, is_word = lexemes.is_word OR excluded.is_word
    )
    SELECT count(*) AS products, coalesce(max(number), :counted_to) AS counted_to FROM batch
    """
).bindparams(bindparam("size", BATCH), bindparam("letters", MAX_LETTERS))
STORE_PROGRESS = text("UPDATE lexeme_progress SET counted_to = :counted_to, products = products + :products")
STORE_RECOUNT_PROGRESS = text(
    "UPDATE lexeme_progress SET recounted_to = :counted_to, recounted_products = recounted_products + :products"
)
START_RECOUNT = text("UPDATE lexeme_progress SET recounted_to = 0, recounted_products = 0")
FINISH_RECOUNT = text(
    """
    UPDATE lexeme_progress SET generation = generation + 1, products = recounted_products, recounted_to = NULL,
        recounted_products = 0, recounted_at = now()
    """
)
PRUNE = text(
    """
    DELETE FROM lexemes WHERE (generation, lexeme) IN (
        SELECT generation, lexeme FROM lexemes WHERE generation < :generation ORDER BY generation, lexeme LIMIT :size
    )
    """
).bindparams(bindparam("size", PRUNE_BATCH))


async def run(sessions: async_sessionmaker[AsyncSession], shutdown: Shutdown) -> None:
    """Count until shutdown is requested."""
    while not shutdown.requested:
        async with sessions.begin() as session:
            more = await count_batch(session)
        if not more:
            await shutdown.wait(INTERVAL_SECONDS)


async def count_batch(session: AsyncSession) -> bool:
    """Count one batch: of new products, else of a recount that is due. Else delete a batch of the replaced generation.

    Return False if there is nothing left to do.
    """
    progress = (await session.execute(LOCK)).one_or_none()
    if progress is None:
        if (await session.execute(select(LexemeProgress.id))).one_or_none() is not None:  # another worker counts
            return False
        await session.execute(insert(LexemeProgress).values(id=1).on_conflict_do_nothing())
        return True
    if await _count(session, progress.generation, progress.counted_to, 2**62, STORE_PROGRESS):
        return True
    if progress.recounted_to is not None or progress.is_due:
        await _recount(session, progress)
        return True
    pruned = await session.execute(PRUNE, {"generation": progress.generation})
    return bool(pruned.rowcount)  # type: ignore[attr-defined]  # the result of a DELETE is a CursorResult


async def _recount(session: AsyncSession, progress: Progress) -> None:
    if progress.recounted_to is None:
        await session.execute(START_RECOUNT)
    start, generation = progress.recounted_to or 0, progress.generation + 1
    if not await _count(session, generation, start, progress.counted_to, STORE_RECOUNT_PROGRESS):
        await session.execute(FINISH_RECOUNT)


async def _count(session: AsyncSession, generation: int, counted_to: int, last: int, store: TextClause) -> int:
    """Count the next batch of the products with numbers up to `last`, execute `store` to store the progress, and return their number."""
    parameters = {"generation": generation, "counted_to": counted_to, "last": last}
    counted = (await session.execute(COUNT, parameters)).one()
    if counted.products:
        await session.execute(store, {"counted_to": counted.counted_to, "products": counted.products})
    return int(counted.products)
