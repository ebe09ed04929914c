"""Products are locked in the order of their ids, as orders lock them: a deleted category and an order never wait for each other."""

from uuid import UUID, uuid4

import pytest

from kit.audit.actor import Actor
from services.catalog.categories.edit import delete_category
from services.catalog.db import sessions
from services.catalog.models import Category, Product
from tests.fixtures.lock_order import run_against_locks

SMALLER, GREATER = UUID(int=1), UUID(int=2)


@pytest.mark.parametrize("moved", [True, False])
async def test_deleted_category_locks_its_products_in_the_order_of_their_ids(moved: bool) -> None:
    categories = [Category(id=uuid4(), slug=f"c-{number}", name="Cups") for number in range(2)]
    async with sessions.begin() as session:
        session.add_all(categories)
    for product_id in (GREATER, SMALLER):
        values = {"id": product_id, "slug": f"p-{product_id}", "name": "Cup", "price": 1_000, "currency": "NGN"}
        async with sessions.begin() as session:
            session.add(Product(**values, category_id=categories[0].id))
    target = categories[1].id if moved else None
    await run_against_locks(
        sessions,
        Product.id,
        SMALLER,
        GREATER,
        lambda session: delete_category(
            session, categories[0].id, move_to=target, detach=not moved, actor=Actor(id="editor")
        ),
    )
    async with sessions() as session:
        product = await session.get_one(Product, GREATER)
    assert product.category_id == target
