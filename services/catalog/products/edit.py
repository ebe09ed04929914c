"""Create and change products."""

from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.money import fraction_rule_broken_by
from kit.audit import entries as audit
from kit.audit.actor import Actor
from services.catalog import slugs
from services.catalog.errors import CategoryNotFound, PriceNotWhole, ProductNotFound, SlugTaken
from services.catalog.models import AuditLogEntry, Category, Product
from services.catalog.products.lists import COLUMNS
from services.catalog.products.schemas import CreateProduct, ProductView, UpdateProduct
from services.catalog.tags.assign import set_tags

AUDITED_DESCRIPTION = 200


async def create_product(session: AsyncSession, request: CreateProduct, actor: Actor) -> ProductView:
    """Insert a product. A slug made from the name gets a random suffix if it is taken.

    Raises PriceNotWhole, CategoryNotFound, and SlugTaken if the slug of the request is taken.
    """
    _check_price(request.price, request.currency)
    await _check_category(session, request.category_id)
    values = request.model_dump(exclude={"tags"}) | {"description": request.description or ""}
    product_id = await _insert(session, request, values)
    await set_tags(session, product_id, _distinct(request.tags))
    product = await _load(session, product_id)
    after = _summary(product, {*values, "tags"})
    await audit.record(session, AuditLogEntry, actor, "product.created", product_id, after=after)
    return product


async def _insert(session: AsyncSession, request: CreateProduct, values: dict[str, Any]) -> UUID:
    for slug in [request.slug] if request.slug else slugs.candidates(request.name, "product"):
        new = insert(Product).values(values | {"id": uuid4(), "slug": slug})
        new = new.on_conflict_do_nothing(index_elements=["slug"])
        product_id = (await session.execute(new.returning(Product.id))).scalar_one_or_none()
        if product_id is not None:
            return product_id
    raise SlugTaken


async def _load(session: AsyncSession, product_id: UUID) -> ProductView:
    return ProductView.model_validate((await session.execute(select(*COLUMNS).where(Product.id == product_id))).one())


async def update_product(session: AsyncSession, product_id: UUID, request: UpdateProduct, actor: Actor) -> ProductView:
    """Change the fields that are in the request. Raises PriceNotWhole, CategoryNotFound, ProductNotFound."""
    values = request.model_dump(exclude_unset=True)
    await _check_category(session, request.category_id)
    fields, tags = set(values), values.pop("tags", None)
    old = select(*COLUMNS).where(Product.id == product_id).with_for_update(of=Product)
    before = (await session.execute(old)).one_or_none()
    if before is None:
        raise ProductNotFound
    changed = update(Product).where(Product.id == product_id).values(values | {"updated_at": func.now()})
    await session.execute(changed)
    if tags is not None:
        await set_tags(session, product_id, _distinct(tags))
    product = await _load(session, product_id)
    _check_price(product.price, product.currency)  # only now is the currency known; the error undoes the change
    await audit.record(
        session,
        AuditLogEntry,
        actor,
        "product.changed",
        product_id,
        before=_summary(ProductView.model_validate(before), fields),
        after=_summary(product, fields),
    )
    return product


def _summary(product: ProductView, fields: set[str]) -> dict[str, Any]:
    """Return these fields for the audit log. Only the beginning of the description is kept, because it can be long."""
    found: dict[str, Any] = product.model_dump(mode="json", include=fields)
    if "description" in found:
        found["description"] = found["description"][:AUDITED_DESCRIPTION]
    return found


def _check_price(price: int, currency: str) -> None:
    if (broken_rule := fraction_rule_broken_by(price, currency)) is not None:
        raise PriceNotWhole(f"The price is not possible: {broken_rule}.")


async def _check_category(session: AsyncSession, category_id: UUID | None) -> None:
    if category_id is None:
        return
    # The lock keeps the category from being deleted before the product has it.
    query = select(Category.id).where(Category.id == category_id).with_for_update(read=True, key_share=True)
    if (await session.execute(query)).one_or_none() is None:
        raise CategoryNotFound


def _distinct(tags: list[str] | None) -> list[str]:
    return list(dict.fromkeys(tags or []))
