"""Routes that are served before the router and before the limits on requests: they have limits of their own, and must cost little."""

from collections.abc import Iterable, Iterator

from fastapi import Request
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from kit.errors import BodyTooLarge, BodyTooSlow, Problem, Unavailable, error_response
from kit.http.routing import Handler, Route


class UnparsedRoute(Route):
    """A route whose endpoint takes only the request and returns the response: nothing of the request is parsed or checked before.

    It accepts every query parameter and every Content-Type, because the sender may add or change them. Its path has no parameters.
    UnparsedRoutes serves it before the router.
    """

    def problems(self) -> Iterator[type[Problem]]:
        """Yield the errors of a body of any form."""
        yield from (BodyTooLarge, BodyTooSlow, Unavailable)

    def get_route_handler(self) -> Handler:
        return self.endpoint


async def read_body(request: Request) -> bytes:
    """Return the body of a request to an UnparsedRoute. BodyLimit has received all of it: it is one message."""
    body: bytes = (await request.receive()).get("body", b"")
    return body


class UnparsedRoutes:
    """ASGI middleware that finds each UnparsedRoute of `routes` by method and path. It passes all other requests on.

    The router has these routes too: it documents them in OpenAPI and answers 405 to other methods.
    """

    def __init__(self, app: ASGIApp, routes: Iterable[BaseRoute]) -> None:
        self.app = app
        unparsed = [route for route in routes if isinstance(route, UnparsedRoute)]
        self.routes = {(method, route.path): route for route in unparsed for method in route.methods or ()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self.routes.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if route is None:
            await self.app(scope, receive, send)
            return
        scope["route"] = route  # as the router does: the name of the route in metrics and log messages
        request = Request(scope, receive)
        try:
            response = await route.endpoint(request)
        except Exception as error:
            response = await error_response(request, error)
        await response(scope, receive, send)
