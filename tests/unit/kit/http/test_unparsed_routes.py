"""Routes that are served before the router."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.routing import Mount, Route

from kit.http.routing import Router
from kit.http.unparsed_routes import UnparsedRoute
from kit.observability.metrics import requests_total
from tests.fixtures.sample_app import SoldOut, make_app, sample_client


def routers() -> list[Router]:
    everything = Router()

    @everything.post("/{path:path}")
    async def other(path: str) -> str:
        return f"other: {path}"

    router = Router(route_class=UnparsedRoute)

    @router.post("/hook")
    @router.post("//hook", include_in_schema=False)
    async def hook(request: Request) -> Response:
        match await request.body():
            case b"sold out":
                raise SoldOut(left=0)
            case b"no database":
                raise ConnectionRefusedError
            case b"bug":
                raise RuntimeError("a bug")
            case body:
                return Response(body, 202)

    return [everything, router]


@pytest.fixture(scope="module")
async def hooks() -> AsyncIterator[httpx.AsyncClient]:
    app = make_app(routers=routers())
    assert all(isinstance(route, Route | Mount) for route in app.routes), "a router was included, which is slow"
    async with sample_client(app) as client:
        yield client


async def test_unparsed_route_is_served_before_all_other_routes(hooks: httpx.AsyncClient) -> None:
    answer = await hooks.post("/hook", content=b"text")
    assert (answer.status_code, answer.content) == (202, b"text")
    assert answer.headers["x-request-id"]
    assert (await hooks.post("http://sample.test//hook", content=b"text")).status_code == 202
    assert (await hooks.post("/hook/")).json() == "other: hook/"
    assert (await hooks.post("/fine2")).json() == "other: fine2"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"sold out", 409, "sold_out"),
        (b"no database", 503, "unavailable"),
        (b"bug", 500, "internal_error"),
        (b"x" * 100_000, 413, "body_too_large"),
    ],
)
async def test_unparsed_route_answers_errors_as_other_routes_do(
    hooks: httpx.AsyncClient, body: bytes, status: int, code: str
) -> None:
    answer = await hooks.post("/hook", content=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


async def test_unparsed_route_is_named_in_metrics(hooks: httpx.AsyncClient) -> None:
    counted = requests_total.labels("POST", "/hook", 202)
    before = counted._value.get()
    await hooks.post("/hook")
    assert counted._value.get() == before + 1


async def test_unparsed_route_is_in_openapi(hooks: httpx.AsyncClient) -> None:
    paths = (await hooks.get("/openapi.json")).json()["paths"]
    assert set(paths["/hook"]) == {"post"}
    assert "//hook" not in paths


async def test_other_methods_of_an_unparsed_route_are_answered_with_405() -> None:
    router = Router(route_class=UnparsedRoute)

    @router.post("/hook")
    async def hook(_: Request) -> Response:
        return Response()

    assert isinstance(router.routes[0], APIRoute)
    async with sample_client(make_app(routers=[router])) as client:
        for method in ("GET", "PUT", "DELETE"):
            answer = await client.request(method, "/hook")
            assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
            assert answer.json()["code"] == "method_not_allowed"
