"""Create, change and delete products."""

from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.money import fraction_rule_broken_by
from kit.audit import entries as audit
from kit.audit.actor import Actor
from kit.db.locks import for_key_share
from services.catalog import slugs
from services.catalog.categories.errors import CategoryNotFound
from services.catalog.errors import PriceNotWhole, ProductNotFound, SlugTaken
from services.catalog.models import AuditLogEntry, Category, Product, Variant
from services.catalog.preconditions import check_precondition
from services.catalog.products import old_slugs
from services.catalog.products.documents import ProductDocument
from services.catalog.products.errors import ProductOrdered
from services.catalog.products.find import load_product
from services.catalog.products.schemas import CreateProduct, ProductView, UpdateProduct
from services.catalog.stock.edit import create_level
from services.catalog.tags.assign import set_tags

AUDITED_DESCRIPTION = 200


async def create_product(session: AsyncSession, request: CreateProduct, actor: Actor) -> ProductDocument:
    """Insert a product. A slug made from the name gets a random suffix if it is taken.

    Raises PriceNotWhole, CategoryNotFound, and SlugTaken if the slug of the request is taken.
    """
    _check_price(request.price, request.currency)
    await _check_category(session, request.category_id)
    values = request.model_dump(exclude={"tags", "stock"}) | {"description": request.description or ""}
    product_id = await _insert(session, request, values)
    if not request.options:
        await session.execute(insert(Variant).values(id=product_id, product_id=product_id))
    if request.stock is not None:
        await create_level(session, product_id, request.stock, actor)
    await set_tags(session, product_id, _distinct(request.tags))
    product = await load_product(session, product_id)
    after = _summary(_view(product), {*values, "tags", "stock"})
    await audit.record(session, AuditLogEntry, actor, "product.created", product_id, after=after)
    return product


async def _insert(session: AsyncSession, request: CreateProduct, values: dict[str, object]) -> UUID:
    for slug in [request.slug] if request.slug else slugs.candidates(request.name, "product"):
        new = insert(Product).values(values | {"id": uuid4(), "slug": slug})
        new = new.on_conflict_do_nothing(index_elements=["slug"])
        product_id = (await session.execute(new.returning(Product.id))).scalar_one_or_none()
        if product_id is not None:
            return product_id
    raise SlugTaken


async def update_product(
    session: AsyncSession, product_id: UUID, request: UpdateProduct, if_match: str | None, actor: Actor
) -> ProductDocument:
    """Change the fields that are in the request. `if_match` is the header If-Match.

    Raises PriceNotWhole, CategoryNotFound, ProductNotFound, SlugTaken, PreconditionRequired, PreconditionFailed.
    """
    values = request.model_dump(exclude_unset=True)
    await _check_category(session, request.category_id)
    before = _view(await _lock(session, product_id, if_match))
    fields, tags = set(values), values.pop("tags", None)
    if request.price is not None:
        _check_price(request.price, before.currency)
    await _update(session, product_id, values)
    if tags is not None:
        await set_tags(session, product_id, _distinct(tags))
    if request.slug is not None and request.slug != before.slug:
        await old_slugs.keep(session, product_id, before.slug, request.slug)
    product = await load_product(session, product_id)
    await audit.record(
        session,
        AuditLogEntry,
        actor,
        "product.changed",
        product_id,
        before=_summary(before, fields),
        after=_summary(_view(product), fields),
    )
    return product


async def delete_product(session: AsyncSession, product_id: UUID, if_match: str | None, actor: Actor) -> None:
    """Delete a product that no order refers to.

    Raises ProductNotFound, ProductOrdered, PreconditionRequired, PreconditionFailed.
    """
    product = _view(await _lock(session, product_id, if_match))
    try:
        async with session.begin_nested():
            await session.execute(delete(Product).where(Product.id == product_id))
    except IntegrityError as error:
        raise ProductOrdered from error
    before = _summary(product, set(ProductView.model_fields))
    await audit.record(session, AuditLogEntry, actor, "product.deleted", product_id, before=before)


async def _lock(session: AsyncSession, product_id: UUID, if_match: str | None) -> ProductDocument:
    """Lock a product, so that one editor at a time changes it, and check its version. Return it as it is now."""
    locked = select(Product.version).where(Product.id == product_id).with_for_update()
    version = (await session.execute(locked)).scalar_one_or_none()
    if version is None:
        raise ProductNotFound
    check_precondition(if_match, version)
    return await load_product(session, product_id)


async def _update(session: AsyncSession, product_id: UUID, values: dict[str, object]) -> None:
    changed = update(Product).where(Product.id == product_id)
    changed = changed.values(values | {"version": Product.version + 1, "updated_at": func.now()})
    try:
        async with session.begin_nested():
            await session.execute(changed)
    except IntegrityError as error:
        raise SlugTaken from error


def _view(product: ProductDocument) -> ProductView:
    return ProductView.model_validate_json(product.json(with_stock=True))


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
    query = select(Category.id).where(Category.id == category_id)
    if (await session.execute(for_key_share(query))).one_or_none() is None:
        raise CategoryNotFound


def _distinct(tags: list[str] | None) -> list[str]:
    return list(dict.fromkeys(tags or []))
