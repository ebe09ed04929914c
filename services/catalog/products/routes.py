"""The routes of products."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query

from kit.fields import MAX_AMOUNT, Currency
from kit.http.routing import Router
from kit.pagination import CursorParam, InvalidCursor, Limit
from kit.problem_responses import problem_responses
from services.catalog.auth import EditingActor
from services.catalog.db import Reading, Transaction
from services.catalog.errors import CategoryNotFound, PriceNotWhole, PriceRangeEmpty, ProductNotFound, SlugTaken
from services.catalog.products import edit, lists
from services.catalog.products.filters import ProductFilter
from services.catalog.products.schemas import CreateProduct, ProductPage, ProductSort, ProductView, UpdateProduct
from services.catalog.tags.schemas import TagName

router = Router(prefix="/catalog/products", tags=["products"])

Search = Annotated[
    str | None,
    Query(
        max_length=200,
        description="Words, or beginnings of words, in the name or description. At most ten words are used",
    ),
]
CategoryParam = Annotated[str | None, Query(max_length=200, description="Id or slug of a category")]
TagsParam = Annotated[
    list[TagName] | None, Query(max_length=20, description="Repeatable. Only products that have all of these tags")
]
MinPrice = Annotated[int | None, Query(ge=0, le=MAX_AMOUNT, description="Lowest price, in subunits of the currency")]
MaxPrice = Annotated[int | None, Query(ge=0, le=MAX_AMOUNT, description="Highest price, in subunits of the currency")]
CurrencyParam = Annotated[Currency | None, Query(description="Only products with this currency")]
SortParam = Annotated[
    ProductSort, Query(description="`newest` first, lowest `price` first, highest price first (`-price`), or by `name`")
]
IdOrSlug = Annotated[str, Path(max_length=200, description="Id or slug of the product")]
ProductId = Annotated[UUID, Path(description="Id of the product")]


@router.get("", summary="List products", responses=problem_responses(InvalidCursor, PriceRangeEmpty))
async def list_products(
    session: Reading,
    q: Search = None,
    category: CategoryParam = None,
    tag: TagsParam = None,
    min_price: MinPrice = None,
    max_price: MaxPrice = None,
    currency: CurrencyParam = None,
    sort: SortParam = ProductSort.NEWEST,
    limit: Limit = 20,
    cursor: CursorParam = None,
) -> ProductPage:
    """Return the products that match all filters.

    To get the next page, repeat the request with `cursor` set to `next_cursor`. On the last page `next_cursor` is null. Products that are
    created or deleted meanwhile do not shift the pages.
    """
    filters = ProductFilter(q, category, tuple(tag or ()), min_price, max_price, currency)
    return await lists.list_products(session, filters, sort=sort, limit=limit, cursor=cursor)


@router.post(
    "",
    status_code=201,
    summary="Create a product",
    responses=problem_responses(CategoryNotFound, SlugTaken, PriceNotWhole),
)
async def create_product(request: CreateProduct, actor: EditingActor, session: Transaction) -> ProductView:
    """Create a product. Requires the scope `catalog:write`."""
    return await edit.create_product(session, request, actor)


@router.get("/{product_id}", summary="Get a product", responses=problem_responses(ProductNotFound))
async def get_product(product_id: IdOrSlug, session: Reading) -> ProductView:
    """Return a product by its id or slug."""
    return await lists.get_product(session, product_id)


@router.patch(
    "/{product_id}",
    summary="Change a product",
    responses=problem_responses(ProductNotFound, CategoryNotFound, PriceNotWhole),
)
async def update_product(
    product_id: ProductId, request: UpdateProduct, actor: EditingActor, session: Transaction
) -> ProductView:
    """Change the fields that are in the request body. The prices of existing orders do not change.

    Requires the scope `catalog:write`.
    """
    return await edit.update_product(session, product_id, request, actor)
