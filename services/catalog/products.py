"""Products: made and changed by editors, found by everyone."""

import re
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Text, cast, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncSession

from kit import pagination
from services.catalog import cursors
from services.catalog.errors import CategoryNotFound, PriceRangeEmpty, ProductNotFound, SlugTaken
from services.catalog.models import PARTING, Category, Product
from services.catalog.schemas import NewProduct, ProductChange, ProductOut, Products
from services.catalog.slugs import named, slugs_for

Sort = Literal["newest", "price", "-price", "name"]
MAX_TERMS = 10
COLUMNS = (
    Product.id,
    Product.slug,
    Product.name,
    Product.description,
    Product.price,
    Product.currency,
    Product.stock,
    Product.category_id,
    Product.tags,
    Product.created_at,
    Product.updated_at,
)
NAME = func.lower(Product.name)


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list of products is narrowed to. Raises PriceRangeEmpty."""

    q: str | None = None
    category: str | None = None
    tags: tuple[str, ...] = ()
    min_price: int | None = None
    max_price: int | None = None
    currency: str | None = None

    def __post_init__(self) -> None:
        if self.min_price is not None and self.max_price is not None and self.min_price > self.max_price:
            raise PriceRangeEmpty

    def conditions(self) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = []
        if self.q is not None and self.q.strip():
            terms = search_terms(self.q)
            both = func.to_tsquery("simple", terms).op("||")(func.to_tsquery("english", terms))
            found.append(Product.search.op("@@")(both))
        if self.category is not None:
            wanted = named(self.category, Category.id, Category.slug)
            found.append(Product.category_id.in_(select(Category.id).where(wanted)))
        if self.tags:
            found.append(Product.tags.contains(cast(list(self.tags), ARRAY(Text))))
        if self.min_price is not None:
            found.append(Product.price >= self.min_price)
        if self.max_price is not None:
            found.append(Product.price <= self.max_price)
        if self.currency is not None:
            found.append(Product.currency == self.currency)
        return found


def search_terms(q: str) -> str:
    """Text as a tsquery: all of its words, each also as a beginning, so that it finds while it is typed.

    Whatever is typed is quoted, so that no character of it is an operator
    (https://www.postgresql.org/docs/current/datatype-textsearch.html#DATATYPE-TSQUERY).
    """
    words = re.sub(rf"[{re.escape(PARTING)}'\\\\\x00-\x1f]", " ", q).split()[:MAX_TERMS]
    return " & ".join(f"'{word}':*" for word in words)


async def listed(session: AsyncSession, wanted: Filter, *, sort: Sort, limit: int, cursor: str | None) -> Products:
    """A page of products."""
    query = select(*COLUMNS, NAME.label("name_key")).where(*wanted.conditions())
    key: Any = {"newest": Product.created_at, "name": NAME}.get(sort, Product.price)
    descending = sort in {"newest", "-price"}
    if cursor is not None:
        last, product_id = pagination.decode_cursor(cursor, sort, str if sort == "name" else int, str)
        here = tuple_(key, Product.id)
        after = tuple_(cursors.to_moment(last) if sort == "newest" else last, cursors.to_id(product_id))
        query = query.where(here < after if descending else here > after)
    order = (key.desc(), Product.id.desc()) if descending else (key, Product.id)
    rows = (await session.execute(query.order_by(*order).limit(limit + 1))).all()
    page = rows[:limit]
    following = None
    if len(rows) > limit:
        end = page[-1]
        value = {"newest": cursors.micros(end.created_at), "name": end.name_key}.get(sort, end.price)
        following = pagination.encode_cursor(sort, value, str(end.id))
    return Products(items=[ProductOut.model_validate(row) for row in page], next_cursor=following)


async def read(session: AsyncSession, id_or_slug: str) -> ProductOut:
    row = (await session.execute(select(*COLUMNS).where(named(id_or_slug, Product.id, Product.slug)))).one_or_none()
    if row is None:
        raise ProductNotFound
    return ProductOut.model_validate(row)


async def create(session: AsyncSession, new: NewProduct) -> ProductOut:
    """Raises SlugTaken for a slug that was asked for; one that is made from the name gets a suffix where it is taken."""
    await _check_category(session, new.category_id)
    values = new.model_dump() | {"description": new.description or "", "tags": _distinct(new.tags)}
    for slug in [new.slug] if new.slug else slugs_for(new.name, "product"):
        made = (
            insert(Product)
            .values(values | {"id": uuid4(), "slug": slug})
            .on_conflict_do_nothing(index_elements=["slug"])
        )
        row = (await session.execute(made.returning(*COLUMNS))).one_or_none()
        if row is not None:
            return ProductOut.model_validate(row)
    raise SlugTaken


async def change(session: AsyncSession, product_id: UUID, asked: ProductChange) -> ProductOut:
    values = asked.model_dump(exclude_unset=True)
    await _check_category(session, values.get("category_id"))
    if "tags" in values:
        values["tags"] = _distinct(values["tags"])
    changed = update(Product).where(Product.id == product_id).values(values | {"updated_at": func.now()})
    row = (await session.execute(changed.returning(*COLUMNS))).one_or_none()
    if row is None:
        raise ProductNotFound
    return ProductOut.model_validate(row)


async def _check_category(session: AsyncSession, category_id: UUID | None) -> None:
    if category_id is None:
        return
    if (await session.execute(select(Category.id).where(Category.id == category_id))).one_or_none() is None:
        raise CategoryNotFound


def _distinct(tags: list[str] | None) -> list[str]:
    return list(dict.fromkeys(tags or []))
