"""The routes of categories."""

from kit.http.routing import Router
from kit.pagination import CursorParam, InvalidCursor, Limit
from kit.problem_responses import problem_responses
from services.catalog.auth import EditingActor
from services.catalog.categories import create, lists
from services.catalog.categories.schemas import CategoryPage, CategoryView, CreateCategory
from services.catalog.db import Reading, Transaction
from services.catalog.errors import SlugTaken

router = Router(prefix="/catalog/categories", tags=["categories"])


@router.get("", summary="List categories", responses=problem_responses(InvalidCursor))
async def list_categories(session: Reading, limit: Limit = 100, cursor: CursorParam = None) -> CategoryPage:
    """Return the categories in order of their slugs."""
    return await lists.list_categories(session, limit=limit, cursor=cursor)


@router.post(
    "",
    status_code=201,
    summary="Create a category",
    responses=problem_responses(SlugTaken),
)
async def create_category(request: CreateCategory, actor: EditingActor, session: Transaction) -> CategoryView:
    """Create a category. Requires the scope `catalog:write`."""
    return await create.create_category(session, request, actor)
