"""The routes of categories."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query
from starlette.responses import Response

from kit.fields import Pattern
from kit.http.fast_get_routes import FastGetRoute
from kit.http.routing import Router
from kit.idempotency import keys
from kit.idempotency.keys import IdempotencyKeyInUse, IdempotencyKeyReused, IdempotentRequest, KeyHeader
from kit.pagination import CursorParam, InvalidCursor, Limit
from kit.problem_responses import problem_responses
from services.catalog.auth import EditingActor
from services.catalog.categories import edit, lists
from services.catalog.categories.errors import CategoryNotEmpty, CategoryNotFound, CategoryTreeInvalid
from services.catalog.categories.schemas import CategoryDetails, CategoryPage, CreateCategory, UpdateCategory
from services.catalog.categories.transaction import TreeTransaction
from services.catalog.db import Reading
from services.catalog.errors import PreconditionFailed, SlugTaken
from services.catalog.models import IdempotencyKey
from services.catalog.preconditions import CategoryIfMatch, versioned_etag

router = Router(prefix="/catalog/categories", tags=["categories"])
read_router = Router(prefix="/catalog/categories", tags=["categories"], route_class=FastGetRoute)

MOVE_TO = "move_to:"
PARENT = "Only the categories directly below the category with this id"
IdOrSlug = Annotated[str, Path(max_length=200, description="Id or slug of the category")]
CategoryId = Annotated[UUID, Path(description="Id of the category")]
ParentParam = Annotated[UUID | None, Query(description=PARENT)]
_Products = Annotated[
    str,
    Pattern(
        r"^(detach|move_to:[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})$",
        "must be `detach`, or `move_to:` and the id of a category",
    ),
]
ProductsParam = Annotated[
    _Products | None,
    Query(
        description="What happens to the products of the category: `detach` leaves them without a category, "
        "`move_to:<id>` moves them to another one. Required if the category has products",
    ),
]


@read_router.get("", summary="List categories", response_model=CategoryPage, responses=problem_responses(InvalidCursor))
async def list_categories(parent: ParentParam = None, limit: Limit = 100, cursor: CursorParam = None) -> Response:
    """Return the categories in order of their slugs."""
    page = await lists.list_categories(parent=parent, limit=limit, cursor=cursor)
    return Response(page, media_type="application/json")


@router.post(
    "",
    status_code=201,
    summary="Create a category",
    responses=problem_responses(
        SlugTaken, CategoryNotFound, CategoryTreeInvalid, IdempotencyKeyInUse, IdempotencyKeyReused
    ),
)
async def create_category(
    request: CreateCategory, actor: EditingActor, session: TreeTransaction, response: Response, key: KeyHeader = None
) -> CategoryDetails:
    """Create a category. Requires the scope `catalog:write`."""
    idempotent = IdempotentRequest.of(actor.id, "create_category", key, request)
    category = await keys.respond_once(
        session, IdempotencyKey, idempotent, CategoryDetails, lambda: edit.create_category(session, request, actor)
    )
    return _with_etag(response, category)


def _with_etag(response: Response, category: CategoryDetails) -> CategoryDetails:
    response.headers["ETag"] = versioned_etag(category.version, category.model_dump_json().encode())
    return category


@router.get("/{category_id}", summary="Get a category", responses=problem_responses(CategoryNotFound))
async def get_category(category_id: IdOrSlug, session: Reading, response: Response) -> CategoryDetails:
    """Return a category with the categories above it and those directly below it."""
    return _with_etag(response, await lists.get_category(session, category_id))


@router.patch(
    "/{category_id}",
    summary="Rename or move a category",
    responses=problem_responses(CategoryNotFound, SlugTaken, CategoryTreeInvalid, PreconditionFailed),
)
async def update_category(
    category_id: CategoryId,
    request: UpdateCategory,
    actor: EditingActor,
    session: TreeTransaction,
    response: Response,
    if_match: CategoryIfMatch = None,
) -> CategoryDetails:
    """Change the fields that are in the request body. A category moves with its subcategories. Requires the scope `catalog:write`."""
    return _with_etag(response, await edit.update_category(session, category_id, request, if_match, actor))


@router.delete(
    "/{category_id}",
    status_code=204,
    summary="Delete a category",
    responses=problem_responses(CategoryNotFound, CategoryNotEmpty, PreconditionFailed),
)
async def delete_category(
    category_id: CategoryId,
    actor: EditingActor,
    session: TreeTransaction,
    products: ProductsParam = None,
    if_match: CategoryIfMatch = None,
) -> None:
    """Delete a category that has no subcategories. Requires the scope `catalog:write`."""
    move_to = UUID(products.removeprefix(MOVE_TO)) if products and products.startswith(MOVE_TO) else None
    detach = products == "detach"
    await edit.delete_category(session, category_id, if_match=if_match, move_to=move_to, detach=detach, actor=actor)
