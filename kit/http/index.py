"""The route `/`: what a service is, and where its documentation and health are."""

from fastapi import APIRouter
from pydantic import Field

from kit.schemas import ResponseModel

LINKS = {
    "openapi": "/openapi.json",
    "docs": "/docs",
    "liveness": "/livez",
    "readiness": "/readyz",
    "metrics": "/metrics",
}


class IndexView(ResponseModel):
    """What answers at this address."""

    name: str = Field(description="`auth`, `catalog`, `payments`, or `shop`: the gateway in front of them")
    version: str = Field(description="The version of the API, as in its OpenAPI document")
    links: dict[str, str] = Field(description="Paths of the documentation and of other places to start from, by name")


def index_router(name: str, version: str) -> APIRouter:
    """Return the route `/` of a service."""
    router = APIRouter(tags=["index"])
    view = IndexView(name=name, version=version, links=LINKS)

    @router.get("/", operation_id="getIndex", summary="Get the name, the version and the links of this address")
    async def get_index() -> IndexView:
        return view

    return router
