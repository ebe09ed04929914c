"""Find the route of a request at once. FastAPI's router asks all routes one after another, which takes a microsecond for each."""

from collections.abc import Iterable
from functools import cached_property

from fastapi import APIRouter  # noqa: TID251 -- the class of `app.router`
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

Key = tuple[str, str]
"""The first two segments of a path."""

_OTHERS: Key = ("", "")
"""The key of the routes that are tried for a path that begins with other segments."""


class RouteIndex:
    """ASGI app in front of the routes of `router`.

    It knows the fixed paths, and the routes with parameters by the first two segments of their paths. The router itself answers everything
    else: what matches no route, another method, and its other kinds of routes. `prefer_fixed_paths` must have been called: then no route
    with parameters matches a fixed path, and the sequence of the two kinds does not matter.
    """

    def __init__(self, router: APIRouter) -> None:
        self._router = router
        self._other: ASGIApp = router.app

    @cached_property
    def _fixed(self) -> dict[tuple[str, str], APIRoute]:
        """The routes by method and path. Built at the first request: then all routes were added."""
        found: dict[tuple[str, str], APIRoute] = {}
        for route in _api_routes(self._router.routes):
            if not route.param_convertors:
                for method in route.methods or ():
                    found.setdefault((method, route.path), route)
        return found

    @cached_property
    def _with_parameters(self) -> dict[Key, list[APIRoute]]:
        """The routes by the first two segments, in their sequence; those whose first two segments have parameters are in each list."""
        routes = [(_key(route.path), route) for route in _api_routes(self._router.routes) if route.param_convertors]
        keys = {_OTHERS, *(key for key, _ in routes if not _has_parameter(key))}
        return {key: [route for own, route in routes if own == key or _has_parameter(own)] for key in keys}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not scope.get("root_path"):
            fixed = self._fixed.get((scope["method"], scope["path"]))
            if fixed is not None:
                scope.update(router=self._router, route=fixed, endpoint=fixed.endpoint, path_params={})
                await fixed.app(scope, receive, send)
                return
            lists = self._with_parameters
            for route in lists.get(_key(scope["path"]), lists[_OTHERS]):
                match, found = route.matches(scope)
                if match == Match.FULL:
                    scope.update(found, router=self._router)
                    await route.app(scope, receive, send)
                    return
        await self._other(scope, receive, send)


def _api_routes(routes: Iterable[BaseRoute]) -> Iterable[APIRoute]:
    return (route for route in routes if isinstance(route, APIRoute))


def _key(path: str) -> Key:
    _, first, second, *_ = (*path.split("/", 3), "", "")
    return first, second


def _has_parameter(key: Key) -> bool:
    return any("{" in segment for segment in key)
