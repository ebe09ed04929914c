"""Create, change and delete variants. Each change makes a new version of the product."""

from collections.abc import Mapping
from uuid import UUID, uuid4

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.money import fraction_rule_broken_by
from kit.audit import entries as audit
from kit.audit.actor import Actor
from kit.fields import Currency
from services.catalog.errors import PriceNotWhole, ProductNotFound
from services.catalog.models import AuditLogEntry, Product, Variant
from services.catalog.preconditions import check_if_sent
from services.catalog.stock.edit import create_level
from services.catalog.variants.errors import (
    DefaultVariant,
    OptionsDiffer,
    TooManyVariants,
    VariantExists,
    VariantNotFound,
    VariantOrdered,
)
from services.catalog.variants.lists import load_variant
from services.catalog.variants.schemas import MAX_VARIANTS, CreateVariant, UpdateVariant, VariantView

AUDITED = {"sku", "options", "prices", "stock"}


async def create_variant(session: AsyncSession, product_id: UUID, request: CreateVariant, actor: Actor) -> VariantView:
    """Insert a variant. Raises ProductNotFound, OptionsDiffer, PriceNotWhole, VariantExists, TooManyVariants."""
    _check_prices(request.prices)
    names = await _lock_product(session, product_id)
    if sorted(names) != sorted(request.options):
        wanted = ", ".join(names) or "none"
        raise OptionsDiffer(f"The options of this product are: {wanted}. Give a value for each of them, and no other.")
    count = select(func.count()).select_from(Variant).where(Variant.product_id == product_id)
    if (await session.execute(count)).scalar_one() >= MAX_VARIANTS:
        raise TooManyVariants
    variant_id = uuid4()
    values = request.model_dump(include={"sku", "options", "prices"})
    new = insert(Variant).values(values | {"id": variant_id, "product_id": product_id})
    if (await session.execute(new.on_conflict_do_nothing().returning(Variant.id))).scalar_one_or_none() is None:
        raise VariantExists
    if request.stock is not None:
        await create_level(session, variant_id, request.stock, actor)
    variant = await load_variant(session, variant_id)
    await _record(session, actor, "variant.created", variant, after=_summary(variant))
    return variant


async def update_variant(
    session: AsyncSession, variant_id: UUID, request: UpdateVariant, if_match: str | None, actor: Actor
) -> VariantView:
    """Change SKU and prices. `if_match` is the header If-Match, with the ETag of the product.

    Raises VariantNotFound, PriceNotWhole, VariantExists, PreconditionFailed.
    """
    _check_prices(request.prices or {})
    product_id = (await load_variant(session, variant_id)).product_id
    await _lock_product(session, product_id, if_match)
    before = await load_variant(session, variant_id)
    values = request.model_dump(exclude_unset=True)
    if values:
        try:
            async with session.begin_nested():
                await session.execute(update(Variant).where(Variant.id == variant_id).values(values))
        except IntegrityError as error:
            raise VariantExists from error
    variant = await load_variant(session, variant_id)
    await _record(session, actor, "variant.changed", variant, before=_summary(before), after=_summary(variant))
    return variant


async def delete_variant(session: AsyncSession, variant_id: UUID, if_match: str | None, actor: Actor) -> None:
    """Delete a variant that no order refers to. `if_match` is the header If-Match, with the ETag of the product.

    Raises VariantNotFound, DefaultVariant, VariantOrdered, PreconditionFailed.
    """
    variant = await load_variant(session, variant_id)
    if not await _lock_product(session, variant.product_id, if_match):
        raise DefaultVariant
    try:
        async with session.begin_nested():
            deleted = await session.execute(delete(Variant).where(Variant.id == variant_id).returning(Variant.id))
    except IntegrityError as error:
        raise VariantOrdered from error
    if deleted.scalar_one_or_none() is None:  # another request was faster
        raise VariantNotFound
    await _record(session, actor, "variant.deleted", variant, before=_summary(variant))


async def _lock_product(session: AsyncSession, product_id: UUID, if_match: str | None = None) -> list[str]:
    """Lock the product, so that one request at a time changes its variants, and increase its version. Return its options.

    Raises ProductNotFound, and PreconditionFailed if `if_match` names another version.
    """
    changed = update(Product).where(Product.id == product_id)
    changed = changed.values(version=Product.version + 1, updated_at=func.now())
    row = (await session.execute(changed.returning(Product.options, Product.version))).one_or_none()
    if row is None:
        raise ProductNotFound
    options, version = row
    check_if_sent(if_match, version - 1)
    return options


def _check_prices(prices: Mapping[Currency, int]) -> None:
    for currency, price in prices.items():
        if (broken_rule := fraction_rule_broken_by(price, currency)) is not None:
            raise PriceNotWhole(f"The price is not possible: {broken_rule}.")


def _summary(variant: VariantView) -> dict[str, object]:
    return variant.model_dump(mode="json", include=AUDITED)


async def _record(
    session: AsyncSession,
    actor: Actor,
    act: str,
    variant: VariantView,
    *,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
) -> None:
    """Record the act on the product, with the id of the variant."""
    marked = [None if each is None else {"variant_id": str(variant.id), **each} for each in (before, after)]
    await audit.record(session, AuditLogEntry, actor, act, variant.product_id, before=marked[0], after=marked[1])
