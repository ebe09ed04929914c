"""The routes of products."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import Path, Query, Request
from starlette.responses import RedirectResponse, Response

from kit.audit.entries import AuditFilter, list_entries
from kit.audit.schemas import AuditEntryView, AuditPage
from kit.fields import MAX_AMOUNT, Currency
from kit.http.etags import NOT_MODIFIED
from kit.http.fast_get_routes import FastGetRoute
from kit.http.routing import Router
from kit.idempotency import keys
from kit.idempotency.keys import IdempotencyKeyInUse, IdempotencyKeyReused, IdempotentRequest, KeyHeader
from kit.pagination import CursorParam, InvalidCursor, Limit, decode_cursor, encode_cursor, split_page
from kit.problem_responses import Responses, problem_responses
from services.catalog.auth import CallerScopes, EditingActor, EditorCaller
from services.catalog.categories.errors import CategoryNotFound
from services.catalog.db import DatabaseTransaction, Reading
from services.catalog.errors import (
    PreconditionFailed,
    PreconditionRequired,
    PriceNotWhole,
    ProductNotFound,
    SlugTaken,
    TooManyWords,
)
from services.catalog.models import AuditLogEntry, IdempotencyKey
from services.catalog.preconditions import IfMatch
from services.catalog.products import edit, find, pages
from services.catalog.products.errors import CurrencyRequired, PriceRangeEmpty, ProductOrdered, StatusFilterNotAllowed
from services.catalog.products.etags import EditedProduct, edited_response, product_response
from services.catalog.products.filters import ProductFilter, TagMatch
from services.catalog.products.find import ProductReads
from services.catalog.products.schemas import CreateProduct, ProductPage, ProductSort, ProductView, UpdateProduct
from services.catalog.statuses import Availability, ProductStatus
from services.catalog.tags.schemas import TagName

router = Router(prefix="/catalog/products", tags=["products"])
read_router = Router(prefix="/catalog/products", tags=["products"], route_class=FastGetRoute)

EDIT, STOCK = "catalog:write", "stock:write"
CHANGES_LIST_NAME = "changes of a product"
"""A cursor is valid only for the list with this name."""

MOVED: Responses = {301: {"description": "The product has another slug now: `Location` has its path"}}

Search = Annotated[
    str | None,
    Query(
        max_length=200,
        description="At most five words in the name or description; the last one can be the beginning of a word, from two letters. "
        "Case, accents and English word endings do not matter",
    ),
]
CategoryParam = Annotated[str | None, Query(max_length=200, description="Id or slug of a category")]
TagsParam = Annotated[
    list[TagName] | None,
    Query(max_length=20, description="Only products with this tag; repeat it for several, see `tag_match`"),
]
TagMatchParam = Annotated[
    TagMatch, Query(description="Whether a product must have `all` of the tags, or `any` of them")
]
MinPrice = Annotated[
    int | None,
    Query(ge=0, le=MAX_AMOUNT, description="Lowest price, in subunits of `currency`, which is then required"),
]
MaxPrice = Annotated[
    int | None,
    Query(ge=0, le=MAX_AMOUNT, description="Highest price, in subunits of `currency`, which is then required"),
]
CurrencyParam = Annotated[Currency | None, Query(description="Only products with this currency")]
SortParam = Annotated[
    ProductSort | None,
    Query(
        description="`relevance` (default with `q`), `newest` first (default without `q`), `price` from low to high, "
        "`-price` from high to low, or `name`. `price` and `-price` require `currency`"
    ),
]
StatusParam = Annotated[
    ProductStatus, Query(description="`draft` and `archived` require a token with the scope `catalog:write`")
]
AvailabilityParam = Annotated[Availability | None, Query(description="Only products with this availability")]
IncludeParam = Annotated[
    Literal["stock"] | None,
    Query(
        description="`stock` adds the number of units that can still be ordered. "
        "For callers with the scope `stock:write` it is always added"
    ),
]
FacetsParam = Annotated[
    bool, Query(description="`true` adds how many products of the list have each tag, and are in each subcategory")
]
IdOrSlug = Annotated[str, Path(max_length=200, description="Id or slug of the product")]
ProductId = Annotated[UUID, Path(description="Id of the product")]


@read_router.get(
    "",
    summary="List products",
    response_model=ProductPage,
    responses=problem_responses(InvalidCursor, PriceRangeEmpty, CurrencyRequired, TooManyWords, StatusFilterNotAllowed),
)
async def list_products(
    scopes: CallerScopes,
    q: Search = None,
    category: CategoryParam = None,
    tag: TagsParam = None,
    tag_match: TagMatchParam = TagMatch.ALL,
    min_price: MinPrice = None,
    max_price: MaxPrice = None,
    currency: CurrencyParam = None,
    status: StatusParam = ProductStatus.ACTIVE,
    availability: AvailabilityParam = None,
    sort: SortParam = None,
    facets: FacetsParam = False,
    limit: Limit = 20,
    cursor: CursorParam = None,
) -> Response:
    """Return the products that match all filters.

    To get the next page, repeat the request with `cursor` set to `next_cursor`. On the last page `next_cursor` is null. A page can have
    fewer products than `limit`, even none, if few of those that were read match. Products that are created or deleted meanwhile do
    not shift the pages.
    """
    if status != ProductStatus.ACTIVE and EDIT not in scopes:
        raise StatusFilterNotAllowed
    filters = ProductFilter(
        q=q,
        category=category,
        tags=tuple(tag or ()),
        tag_match=tag_match,
        min_price=min_price,
        max_price=max_price,
        currency=currency,
        status=status,
        availability=availability,
        sort=sort,
    )
    page = await pages.list_products(filters, limit=limit, cursor=cursor, with_stock=STOCK in scopes, facets=facets)
    return Response(page, media_type="application/json")


@router.post(
    "",
    status_code=201,
    summary="Create a product",
    response_model=ProductView,
    responses=problem_responses(CategoryNotFound, SlugTaken, PriceNotWhole, IdempotencyKeyInUse, IdempotencyKeyReused),
)
async def create_product(
    request: CreateProduct, actor: EditingActor, session: DatabaseTransaction, key: KeyHeader = None
) -> Response:
    """Create a product. Requires the scope `catalog:write`."""
    idempotent = IdempotentRequest.of(actor.id, "create_product", key, request)

    async def create() -> EditedProduct:
        return EditedProduct.of(await edit.create_product(session, request, actor))

    product = await keys.respond_once(session, IdempotencyKey, idempotent, EditedProduct, create)
    return edited_response(product, 201)


@read_router.get(
    "/{product_id}",
    summary="Get a product",
    response_model=ProductView,
    responses={**NOT_MODIFIED, **MOVED, **problem_responses(ProductNotFound)},
)
async def get_product(
    product_id: IdOrSlug, request: Request, scopes: CallerScopes, include: IncludeParam = None
) -> Response:
    """Return a product by its id or slug. Drafts and archived products are found only with the scope `catalog:write`.

    With the `ETag` of an earlier response in `If-None-Match`, the answer is 304 if nothing has changed.
    """
    reads: ProductReads = request.state.product_reads
    found = await find.find_product(reads, product_id, hidden=EDIT in scopes)
    if isinstance(found, find.Moved):
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"/catalog/products/{found.slug}{query}", status_code=301)
    return product_response(request, found, with_stock=include is not None or STOCK in scopes)


@router.patch(
    "/{product_id}",
    summary="Change a product",
    response_model=ProductView,
    responses=problem_responses(
        ProductNotFound, CategoryNotFound, PriceNotWhole, SlugTaken, PreconditionRequired, PreconditionFailed
    ),
)
async def update_product(
    product_id: ProductId,
    request: UpdateProduct,
    actor: EditingActor,
    session: DatabaseTransaction,
    if_match: IfMatch = None,
) -> Response:
    """Change the fields that are in the request body. The prices of existing orders do not change.

    Requires the scope `catalog:write`, and the header `If-Match`, so that two editors do not overwrite each other's changes.
    """
    product = await edit.update_product(session, product_id, request, if_match, actor)
    return edited_response(EditedProduct.of(product), 200)


@router.delete(
    "/{product_id}",
    status_code=204,
    summary="Delete a product",
    responses=problem_responses(ProductNotFound, ProductOrdered, PreconditionRequired, PreconditionFailed),
)
async def delete_product(
    product_id: ProductId, actor: EditingActor, session: DatabaseTransaction, if_match: IfMatch = None
) -> None:
    """Delete a product that no order refers to; archive others. Requires the scope `catalog:write` and the header `If-Match`."""
    await edit.delete_product(session, product_id, if_match, actor)


@router.get(
    "/{product_id}/audit-log", summary="List the changes of a product", responses=problem_responses(InvalidCursor)
)
async def list_product_changes(
    product_id: ProductId, _: EditorCaller, session: Reading, limit: Limit = 20, cursor: CursorParam = None
) -> AuditPage:
    """Return the changes of a product, its variants and its stock, newest first. Requires the scope `catalog:write`."""
    before = None if cursor is None else decode_cursor(cursor, CHANGES_LIST_NAME, int)[0]
    selected = AuditFilter(subject=str(product_id))
    rows = await list_entries(session, AuditLogEntry, selected, limit + 1, before)
    page, next_cursor = split_page(rows, limit, lambda row: encode_cursor(CHANGES_LIST_NAME, row.id))
    return AuditPage(items=[AuditEntryView.model_validate(row) for row in page], next_cursor=next_cursor)
