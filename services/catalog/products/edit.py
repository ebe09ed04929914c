"""Create and change products."""

from uuid import UUID, uuid4

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.money import fraction_rule_broken_by
from services.catalog import slugs
from services.catalog.errors import CategoryNotFound, PriceNotWhole, ProductNotFound, SlugTaken
from services.catalog.models import Category, Product
from services.catalog.products.lists import COLUMNS
from services.catalog.products.schemas import CreateProduct, ProductView, UpdateProduct


async def create_product(session: AsyncSession, request: CreateProduct) -> ProductView:
    """Insert a product. A slug made from the name gets a random suffix if it is taken.

    Raises PriceNotWhole, CategoryNotFound, and SlugTaken if the slug of the request is taken.
    """
    _check_price(request.price, request.currency)
    await _check_category(session, request.category_id)
    values = request.model_dump() | {"description": request.description or "", "tags": _distinct(request.tags)}
    for slug in [request.slug] if request.slug else slugs.candidates(request.name, "product"):
        new = insert(Product).values(values | {"id": uuid4(), "slug": slug})
        new = new.on_conflict_do_nothing(index_elements=["slug"])
        row = (await session.execute(new.returning(*COLUMNS))).one_or_none()
        if row is not None:
            return ProductView.model_validate(row)
    raise SlugTaken


async def update_product(session: AsyncSession, product_id: UUID, request: UpdateProduct) -> ProductView:
    """Change the fields that are in the request. Raises PriceNotWhole, CategoryNotFound, ProductNotFound."""
    values = request.model_dump(exclude_unset=True)
    await _check_category(session, request.category_id)
    if "tags" in values:
        values["tags"] = _distinct(values["tags"])
    changed = update(Product).where(Product.id == product_id).values(values | {"updated_at": func.now()})
    row = (await session.execute(changed.returning(*COLUMNS))).one_or_none()
    if row is None:
        raise ProductNotFound
    product = ProductView.model_validate(row)
    _check_price(product.price, product.currency)  # only now is the currency known; the error undoes the change
    return product


def _check_price(price: int, currency: str) -> None:
    if (broken_rule := fraction_rule_broken_by(price, currency)) is not None:
        raise PriceNotWhole(f"The price is not possible: {broken_rule}.")


async def _check_category(session: AsyncSession, category_id: UUID | None) -> None:
    if category_id is None:
        return
    if (await session.execute(select(Category.id).where(Category.id == category_id))).one_or_none() is None:
        raise CategoryNotFound


def _distinct(tags: list[str] | None) -> list[str]:
    return list(dict.fromkeys(tags or []))
