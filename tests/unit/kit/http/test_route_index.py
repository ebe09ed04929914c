"""The route index asks few routes, and finds the same route as the router."""

from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.routing import Match
from starlette.types import Scope

from kit.http.routing import Route, Router
from tests.fixtures.sample_app import make_app, sample_client

asked: list[str] = []


class RecordingRoute(Route):
    """A route that records when it is asked whether it matches."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        asked.append(self.path)
        return super().matches(scope)


def router() -> Router:
    made = Router(route_class=RecordingRoute)

    def add(method: str, path: str) -> None:
        async def endpoint() -> str:
            return f"{method} {path}"

        made.add_api_route(path, endpoint, methods=[method], operation_id=f"{method}{path}")

    add("GET", "/shop/things")
    add("POST", "/shop/things")
    add("GET", "/shop/things/{id}")
    add("PATCH", "/shop/things/{id}")
    add("GET", "/shop/things/{id}/parts")
    add("GET", "/shop/{kind}")
    add("GET", "/shop/{kind}/{id}")
    add("GET", "/other/{path:path}")
    return made


@pytest.fixture(scope="module")
async def shop() -> AsyncIterator[httpx.AsyncClient]:
    async with sample_client(make_app(routers=[router()])) as client:
        yield client


@pytest.mark.parametrize(
    ("request_line", "found", "routes_asked"),
    [
        ("GET /shop/things", "/shop/things", 0),
        ("POST /shop/things", "/shop/things", 0),
        ("GET /shop/things/1", "/shop/things/{id}", 1),
        ("PATCH /shop/things/1", "/shop/things/{id}", 2),
        ("GET /shop/things/1/parts", "/shop/things/{id}/parts", 3),
        ("GET /shop/lamps", "/shop/{kind}", 1),
        ("GET /shop/lamps/1", "/shop/{kind}/{id}", 2),
        ("GET /other/a/b/c", "/other/{path:path}", 3),
    ],
)
async def test_request_is_answered_by_its_route_and_few_routes_are_asked(
    shop: httpx.AsyncClient, request_line: str, found: str, routes_asked: int
) -> None:
    method, _, path = request_line.partition(" ")
    asked.clear()
    assert (await shop.request(method, path)).json() == f"{method} {found}"
    assert len(asked) == routes_asked


async def test_request_that_matches_no_route_is_answered_by_the_router(shop: httpx.AsyncClient) -> None:
    refused = await shop.delete("/shop/things")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD, POST")
    assert (await shop.patch("/shop/lamps/1")).status_code == 405
    assert (await shop.get("/shop")).status_code == 404
    assert (await shop.get("/")).json()["name"] == "sample"
    head = await shop.head("/shop/things/1")
    assert (head.status_code, head.content) == (200, b"")


async def test_metrics_name_the_route_that_the_index_found(shop: httpx.AsyncClient) -> None:
    await shop.get("/shop/things/7")
    assert 'route="/shop/things/{id}",status="200"' in (await shop.get("/metrics")).text
