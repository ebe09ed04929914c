"""The route `/`: what a service is, and where its documentation and health are."""

from pydantic import Field

from kit.http.routing import Router
from kit.schemas import ResponseModel

LINKS = {
    "openapi": "/openapi.json",
    "docs": "/docs",
    "liveness": "/livez",
    "readiness": "/readyz",
    "metrics": "/metrics",
}


class IndexView(ResponseModel):
    """The service, its version and its links."""

    name: str = Field(description="`auth`, `catalog`, `payments`, or `shop`: the gateway in front of them")
    version: str = Field(description="The version of the API, as in its OpenAPI document")
    links: dict[str, str] = Field(description="Paths of the documentation and of other places to start from, by name")


def index_router(name: str, version: str) -> Router:
    """Return the route `/` of a service."""
    router = Router(tags=["index"])
    view = IndexView(name=name, version=version, links=LINKS)

    @router.get("/", operation_id="getIndex", summary="Get the index: name, version and links")
    async def get_index() -> IndexView:
        """Return the name and the version of the service, and links to its documentation and health checks."""
        return view

    return router
