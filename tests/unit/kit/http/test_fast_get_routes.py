"""A FastGetRoute answers and documents what the same endpoint as an ordinary route does."""

from enum import StrEnum
from typing import Annotated
from urllib.parse import quote
from uuid import UUID

import httpx
import pytest
from fastapi import Depends, FastAPI, Header, Path, Query, Request
from starlette.responses import JSONResponse, Response

from kit.errors import NotAuthenticated, install_error_handlers, raises
from kit.http.fast_get_routes import FastGetRoute
from kit.http.routing import Route, Router


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@raises(NotAuthenticated)
async def caller_of(request: Request) -> str:
    if request.headers.get("authorization") == "wrong":
        raise NotAuthenticated
    return request.headers.get("authorization", "anybody")


async def find(
    request: Request,
    caller: Annotated[str, Depends(caller_of)],
    thing: Annotated[str, Path(max_length=10)],
    size: Annotated[int, Query(ge=1)],
    q: Annotated[str | None, Query(max_length=5)] = None,
    colour: Annotated[Colour, Query()] = Colour.RED,
    tag: Annotated[list[Annotated[str, Query(max_length=3)]] | None, Query(max_length=2)] = None,
    group: Annotated[UUID | None, Query(alias="in")] = None,
) -> Response:
    found = [caller, thing, size, q, colour, tag, group and str(group), request.url.path.startswith("/things")]
    return JSONResponse(found)


def app_with(route_class: type[Route]) -> FastAPI:
    app = FastAPI()
    install_error_handlers(app)
    router = Router(prefix="/things", route_class=route_class)
    router.add_api_route("/{thing}", find, methods=["GET"])
    app.router.routes.extend(router.routes)
    return app


async def answer(app: FastAPI, path: str, authorization: str | None) -> tuple[int, object, str | None]:
    headers = {} if authorization is None else {"Authorization": authorization}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test") as client:
        response = await client.get(path, headers=headers)
    return response.status_code, response.json(), response.headers.get("www-authenticate")


FAST, ORDINARY = app_with(FastGetRoute), app_with(Route)
QUERIES = ["size=3", "size=3&q=a%20b", "size=3&colour=blue", "size=3&tag=a&tag=b", "size=3&tag=a", "size=3&q=%C3%A9",
           "size=3&in=00000000-0000-0000-0000-000000000007", "q=a+b&size=+7"]  # fmt: skip
REFUSED = ["", "size=0", "size=x", "size=3&colour=green", "size=3&q=toolong", "size=3&tag=a&tag=b&tag=c", "size=3&tag=long",
           "size=3&in=7", "size=3&size=4", "size=3&other=1", "size=3&q=", "size=", "size=3&tag=", "size=3&group=x", "size=3&Q=a",
           "%", "size=3&q=%ff", "size=3;q=1", "size"]  # fmt: skip


@pytest.mark.parametrize("thing", ["a", "long enough to be refused", "%00", "é"])
@pytest.mark.parametrize("query", [*QUERIES, *REFUSED])
async def test_fast_get_route_answers_valid_and_invalid_parameters_as_an_ordinary_route(query: str, thing: str) -> None:
    for authorization in (None, "me", "wrong"):
        path = f"/things/{quote(thing, safe='%')}?{query}"
        assert await answer(FAST, path, authorization) == await answer(ORDINARY, path, authorization)


@pytest.mark.parametrize("query", QUERIES)
async def test_answer_when_all_parameters_are_valid_then_fastapi_is_not_used(
    query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = app_with(FastGetRoute)
    (route,) = [route for route in app.routes if isinstance(route, FastGetRoute)]
    monkeypatch.setattr(route, "_fastapi", None)
    status, _, _ = await answer(app, f"/things/a?{query}", None)
    assert status == 200


def test_openapi_of_a_fast_get_route_is_that_of_an_ordinary_route() -> None:
    assert FAST.openapi() == ORDINARY.openapi()


async def of_header(value: Annotated[str, Header()]) -> str:
    return value


def of_thread(request: Request) -> str:
    return request.url.path


@pytest.mark.parametrize("dependency", [of_header, of_thread])
def test_route_when_a_dependency_needs_fastapi_then_type_error(dependency: object) -> None:
    async def endpoint(found: Annotated[str, Depends(dependency)]) -> Response:
        return Response(found)

    with pytest.raises(TypeError):
        FastGetRoute("/", endpoint)
    with pytest.raises(TypeError):
        FastGetRoute("/", find, methods=["POST"])
