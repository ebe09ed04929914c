"""The numbers of products with each word, which the worker counts in small steps."""

from sqlalchemy import delete, text, update

from services.catalog.db import sessions
from services.catalog.models import Product
from services.catalog.search import lexeme_counts
from tests.factories.catalog import create_product
from tests.fixtures.seeded_catalog import count_words

COUNTS = (
    "SELECT lexeme, lexemes.products FROM lexemes JOIN lexeme_progress USING (generation) WHERE is_word ORDER BY lexeme"
)


async def counted() -> dict[str, int]:
    async with sessions() as session:
        return {row.lexeme: row.products for row in await session.execute(text(COUNTS))}


async def test_count_batch_when_products_are_created_then_their_words_are_added() -> None:
    await create_product(name="Red cups")
    assert await counted() == {}
    await count_words()
    assert await counted() == {"cups": 1, "red": 1}
    await create_product(name="Red plate")
    await count_words()
    assert await counted() == {"cups": 1, "plate": 1, "red": 2}
    assert await count_words() == 0


async def test_count_batch_when_a_recount_is_due_then_changes_and_deletions_are_counted() -> None:
    changed = await create_product(name="Red cup")
    deleted = await create_product(name="Red plate")
    await count_words()
    async with sessions.begin() as session:
        await session.execute(update(Product).where(Product.id == changed).values(name="Blue cup"))
        await session.execute(delete(Product).where(Product.id == deleted))
    assert await count_words() == 0
    assert await counted() == {"cup": 1, "plate": 1, "red": 2}
    async with sessions.begin() as session:
        await session.execute(text("UPDATE lexeme_progress SET recounted_at = now() - interval '25 hours'"))
    await count_words()
    assert await counted() == {"blue": 1, "cup": 1}
    async with sessions() as session:
        generations = (await session.execute(text("SELECT DISTINCT generation FROM lexemes"))).scalars().all()
    assert generations == [2]


async def test_count_batch_when_another_worker_counts_then_nothing_is_counted_twice() -> None:
    await count_words()
    await create_product(name="Red cup")
    async with sessions.begin() as session:
        assert await lexeme_counts.count_batch(session)
        async with sessions.begin() as other:
            assert not await lexeme_counts.count_batch(other)
    await count_words()
    assert await counted() == {"cup": 1, "red": 1}
