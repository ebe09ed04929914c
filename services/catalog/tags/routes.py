"""The routes of tags."""

from typing import Annotated

from fastapi import Path
from starlette.responses import Response

from kit.http.fast_get_routes import FastGetRoute
from kit.http.routing import Router
from kit.pagination import CursorParam, InvalidCursor, Limit
from kit.problem_responses import problem_responses
from services.catalog.auth import EditingActor
from services.catalog.db import DatabaseTransaction
from services.catalog.tags import edit, lists
from services.catalog.tags.errors import TagExists, TagNotFound
from services.catalog.tags.schemas import TagName, TagPage, TagView, UpdateTag

router = Router(prefix="/catalog/tags", tags=["tags"])
read_router = Router(prefix="/catalog/tags", tags=["tags"], route_class=FastGetRoute)

NameParam = Annotated[TagName, Path(description="Name of the tag")]


@read_router.get("", summary="List tags", response_model=TagPage, responses=problem_responses(InvalidCursor))
async def list_tags(limit: Limit = 100, cursor: CursorParam = None) -> Response:
    """Return the tags in order of their names, with the number of their products."""
    return Response(await lists.list_tags(limit=limit, cursor=cursor), media_type="application/json")


@router.patch("/{name}", summary="Rename or merge a tag", responses=problem_responses(TagNotFound, TagExists))
async def update_tag(name: NameParam, request: UpdateTag, actor: EditingActor, session: DatabaseTransaction) -> TagView:
    """Rename a tag for all its products. With `merge`, its products move to the tag that already has the new name.

    Requires the scope `catalog:write`.
    """
    return await edit.update_tag(session, name, request, actor)


@router.delete("/{name}", status_code=204, summary="Delete a tag", responses=problem_responses(TagNotFound))
async def delete_tag(name: NameParam, actor: EditingActor, session: DatabaseTransaction) -> None:
    """Delete a tag, and remove it from all its products. Requires the scope `catalog:write`."""
    await edit.delete_tag(session, name, actor)
