"""The examples of docs/models.md: relationships, the link table, each ON DELETE action, and queries.

A test with `shown` fails if SQLAlchemy sends SQL that the page does not show.
"""

import re
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError, InvalidRequestError, MultipleResultsFound, NoResultFound
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload, selectinload

from services.catalog.db import engine, sessions
from services.catalog.models import Category, Product, ProductTag, Tag, Variant
from services.catalog.order_models import Order, OrderItem
from tests.fixtures.statements import recorded

PAGE = Path(__file__).parents[3] / "docs" / "models.md"
Check = Callable[[Iterable[str]], None]


@pytest.fixture(scope="module")
def shown() -> Check:
    """Return a check that the page shows these statements."""
    page = re.sub(r"\s+", " ", PAGE.read_text())

    def check(statements: Iterable[str]) -> None:
        missing = [statement for statement in statements if statement not in page]
        assert missing == []

    return check


@pytest.fixture
async def session() -> AsyncIterator[AsyncSession]:
    """Yield a session in a transaction that is rolled back."""
    async with sessions() as opened:
        yield opened
        await opened.rollback()


def product(name: str, **values: object) -> Product:
    new = Product(id=uuid4(), slug=name.lower(), name=name, price=100, currency="NGN", **values)
    new.variants = [Variant(id=new.id)]
    return new


def item(ordered: Product) -> OrderItem:
    """Return an item of an order, with the only variant of the product."""
    values = {"position": 0, "name": ordered.name, "slug": ordered.slug, "quantity": 1, "unit_price": 100}
    return OrderItem(product=ordered, variant=ordered.variants[0], **values)


def category(name: str, **values: object) -> Category:
    return Category(id=uuid4(), slug=name.lower(), name=name, **values)


async def test_a_relationship_when_set_replaced_and_broken_then_both_sides_agree(
    session: AsyncSession, shown: Check
) -> None:
    audio, video = category("Audio", products=[]), category("Video", products=[])
    lamp = product("Lamp", category=audio, tags=[])
    assert audio.products == [lamp]  # back_populates: the other side is set without a statement
    session.add_all([audio, video, lamp])
    await session.flush()
    assert lamp.category_id == audio.id

    with recorded(engine) as statements:
        lamp.category = video  # replace
        assert (audio.products, video.products) == ([], [lamp])
        await session.flush()
        lamp.category = None  # break
        assert video.products == []
        await session.flush()
    assert await session.scalar(select(Product.category_id)) is None
    shown(statements)


async def test_a_tree_when_a_child_is_appended_then_its_parent_is_set(session: AsyncSession, shown: Check) -> None:
    audio, cables = category("Audio", children=[]), category("Cables")
    audio.children.append(cables)
    assert cables.parent is audio
    session.add(audio)
    await session.flush()
    session.expunge_all()
    with recorded(engine) as statements:
        found = await session.scalar(
            select(Category).where(Category.slug == "cables").options(joinedload(Category.parent))
        )
    assert found is not None
    assert found.parent is not None
    assert found.parent.slug == "audio"
    shown(statements)


async def test_a_relationship_when_it_was_not_loaded_then_reading_it_raises(session: AsyncSession) -> None:
    session.add(product("Lamp", category=category("Audio")))
    await session.flush()
    session.expunge_all()
    lamp = (await session.execute(select(Product))).scalar_one()
    with pytest.raises(InvalidRequestError, match="lazy='raise'"):
        _ = lamp.category


async def test_the_link_table_when_tags_are_added_and_removed_then_only_links_change(
    session: AsyncSession, shown: Check
) -> None:
    new, blue = Tag(id=uuid4(), name="new", products=[]), Tag(id=uuid4(), name="blue", products=[])
    lamp = product("Lamp", category=None, tags=[new])
    session.add_all([lamp, blue])
    await session.flush()
    with recorded(engine) as statements:
        lamp.tags.append(blue)
        lamp.tags.remove(new)
        await session.flush()
    assert (blue.products, new.products) == ([lamp], [])
    assert await session.scalar(select(func.count()).select_from(Tag)) == 2  # the tag itself stays
    shown(statements)


async def test_selectinload_when_many_products_are_loaded_then_one_more_statement_loads_their_tags(
    session: AsyncSession, shown: Check
) -> None:
    tag = Tag(id=uuid4(), name="new")
    session.add_all([product("Cup", tags=[tag]), product("Lamp", tags=[tag])])
    await session.flush()
    session.expunge_all()
    with recorded(engine) as statements:
        found = (
            await session.scalars(select(Product).options(selectinload(Product.tags)).order_by(Product.slug))
        ).all()
    assert [[tag.name for tag in each.tags] for each in found] == [["new"], ["new"]]
    assert len(statements) == 2
    shown(statements[1:])


async def test_on_delete_cascade_when_an_order_or_a_product_is_deleted_then_items_and_links_are(
    session: AsyncSession, shown: Check
) -> None:
    cup, tag = product("Cup"), Tag(id=uuid4(), name="new")
    cup.tags = [tag]
    order = Order(
        id=uuid4(), number="2222-2222", customer_id="c", amount=100, currency="NGN", expires_at=datetime.now(UTC)
    )
    order.items = [item(cup)]
    session.add(order)
    await session.flush()
    with recorded(engine) as statements:
        await session.execute(delete(Order).where(Order.id == order.id))
        await session.execute(delete(Product).where(Product.id == cup.id))
    for table in (OrderItem, ProductTag):
        assert await session.scalar(select(func.count()).select_from(table)) == 0
    assert await session.scalar(select(func.count()).select_from(Tag)) == 1
    shown(statements)


async def test_delete_orphan_when_an_item_leaves_its_order_then_it_is_deleted(
    session: AsyncSession, shown: Check
) -> None:
    order = Order(
        id=uuid4(), number="2222-2222", customer_id="c", amount=100, currency="NGN", expires_at=datetime.now(UTC)
    )
    ordered = item(product("Cup"))
    order.items = [ordered]
    session.add(order)
    await session.flush()
    with recorded(engine) as statements:
        order.items.remove(ordered)
        await session.flush()
    shown(statements)
    assert await session.scalar(select(func.count()).select_from(OrderItem)) == 0


async def test_on_delete_set_null_when_a_category_is_deleted_then_its_products_have_none(
    session: AsyncSession, shown: Check
) -> None:
    audio = category("Audio")
    lamp = product("Lamp", category=audio)
    session.add(lamp)
    await session.flush()
    with recorded(engine) as statements:
        await session.execute(delete(Category).where(Category.id == audio.id))
    assert await session.scalar(select(Product.category_id)) is None
    shown(statements)


async def test_on_delete_restrict_when_a_row_is_still_used_then_the_database_refuses(session: AsyncSession) -> None:
    audio, cup = category("Audio"), product("Cup")
    order = Order(
        id=uuid4(), number="2222-2222", customer_id="c", amount=100, currency="NGN", expires_at=datetime.now(UTC)
    )
    order.items = [item(cup)]
    session.add_all([order, category("Cables", parent=audio)])
    await session.flush()
    for refused in (delete(Category).where(Category.id == audio.id), delete(Product).where(Product.id == cup.id)):
        with pytest.raises(IntegrityError):
            async with session.begin_nested():
                await session.execute(refused)


async def test_queries_when_conditions_are_chained_and_joined_then_they_select_these_rows(
    session: AsyncSession, shown: Check
) -> None:
    audio, new, blue = category("Audio"), Tag(id=uuid4(), name="new"), Tag(id=uuid4(), name="blue")
    session.add_all(
        [product("Lamp", category=audio, tags=[new]), product("Cup", tags=[blue]), product("Pen", tags=[]), new, blue]
    )
    await session.flush()
    chained = select(Product.slug).where(Product.price >= 100).where(Product.currency == "NGN", Product.slug != "pen")
    either = select(Product.slug).where(or_(Product.category_id == audio.id, Product.slug == "cup"))
    inner = select(Product.slug, Category.slug).join(Product.category)
    linked = select(Product.slug).join(Product.tags).where(or_(Tag.name == "new", Tag.name == "blue"))
    outer = select(Product.slug, Category.slug).outerjoin(Product.category)
    with recorded(engine) as statements:
        found = [
            [tuple(row) for row in await session.execute(query.order_by(Product.slug))]
            for query in (chained, either, inner, linked, outer)
        ]
    assert found == [
        [("cup",), ("lamp",)],
        [("cup",), ("lamp",)],
        [("lamp", "audio")],
        [("cup",), ("lamp",)],
        [("cup", None), ("lamp", "audio"), ("pen", None)],
    ]
    shown(statements)


async def test_update_when_run_then_it_changes_rows_without_loading_them(session: AsyncSession, shown: Check) -> None:
    session.add_all([product("Cup"), product("Lamp")])
    await session.flush()
    with recorded(engine) as statements:
        changed = update(Product).where(Product.slug == "cup").values(price=Product.price + 50)
        assert (await session.execute(changed.returning(Product.price))).scalars().all() == [150]
    shown(statements)


async def test_one_row_or_none_when_there_are_none_one_or_two_then_each_method_says_so(session: AsyncSession) -> None:
    session.add_all([product("Cup"), product("Lamp")])
    await session.flush()
    none, one, two = (select(Product.id).where(Product.slug.in_(slugs)) for slugs in ([], ["cup"], ["cup", "lamp"]))
    assert (await session.execute(none)).one_or_none() is None
    assert (await session.execute(one)).one_or_none() == (await session.execute(one)).one()
    assert (await session.execute(two)).first() is not None
    with pytest.raises(NoResultFound):
        (await session.execute(none)).one()
    with pytest.raises(MultipleResultsFound):
        (await session.execute(two)).one_or_none()
