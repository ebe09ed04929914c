"""The rules of every route: the Content-Type of the body, the names of the query parameters, and the errors in OpenAPI."""

import inspect
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Request, Response  # noqa: TID251 -- this is its replacement
from fastapi.datastructures import DefaultPlaceholder
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Form, Query
from fastapi.routing import APIRoute

from kit.errors import (
    BadRequest,
    BodyTooLarge,
    BodyTooSlow,
    InvalidRequest,
    InvalidValue,
    NotFound,
    Problem,
    Unavailable,
    UnsupportedMediaType,
    declared_problems,
)
from kit.http.rate_limit import TooManyRequests
from kit.problem_responses import add_problems
from kit.validation_errors import MAX_ERRORS, describe, field_error

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
METHODS_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
"""Answers a request to a route."""


class Route(APIRoute):
    """A route that refuses unknown query parameters (422) and bodies with another Content-Type than it accepts (415).

    A blank query parameter counts as absent. The OpenAPI document gets the errors of the route's own rules and of its dependencies; the
    route itself declares those of its endpoint, with `responses=problem_responses(...)`. An endpoint that returns None answers with an
    empty body: JSON would be `null`.

    The class attributes are options. A subclass sets them, and is the `route_class` of a router. Where FastAPI's parsing would take longer
    than the rest of a request, other classes parse: FastGetRoute parses the parameters of a GET request, UnparsedRoute leaves everything to
    its endpoint, and OAuthFormRoute of auth leaves the form to its endpoint.
    """

    accepts_other_parameters: ClassVar[bool] = False
    """True if unknown query parameters are ignored, because other systems add some to the URL of this route."""

    reads_form: ClassVar[bool] = False
    """True if the endpoint takes only the request, reads a form from it, and returns a Response: FastAPI parses nothing."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        if isinstance(options.get("response_class"), DefaultPlaceholder) and returns_nothing(endpoint):
            options["response_class"] = Response
        super().__init__(path, endpoint, **options)
        self.responses = dict(self.responses)
        add_problems(self.responses, [*_of_dependencies(self.dependant), *self.problems()])

    def problems(self) -> Iterator[type[Problem]]:
        """Yield the errors of a request to this route, whatever its endpoint does."""
        yield InvalidRequest
        yield TooManyRequests
        yield Unavailable
        if self.param_convertors:
            yield NotFound  # a slash in a parameter makes another path
        reads_body = self.reads_form or self.body_field is not None
        if reads_body:
            yield from (BadRequest, BodyTooSlow)
        if self._may_have_body():
            yield from (BodyTooLarge, UnsupportedMediaType)
        if reads_body or get_flat_params(self.dependant):
            yield InvalidValue

    def get_route_handler(self) -> Handler:
        """Return the handler of requests: it checks the rules, then FastAPI parses the request and calls the endpoint."""
        handle = self.endpoint if self.reads_form else super().get_route_handler()
        known = frozenset(
            field.alias for field in get_flat_params(self.dependant) if isinstance(field.field_info, Query)
        )
        refuses_other_parameters = not self.accepts_other_parameters
        may_have_body = self._may_have_body()
        accepted = None if self.body_field is None else JSON
        if self.reads_form or (self.body_field is not None and isinstance(self.body_field.field_info, Form)):
            accepted = FORM

        async def checked(request: Request) -> Response:
            if may_have_body:
                _check_content_type(request, accepted)
            if request.scope["query_string"] and refuses_other_parameters:
                _check_query(request, known)
            return await handle(request)

        return checked

    def _may_have_body(self) -> bool:
        return bool(METHODS_WITH_BODY & (self.methods or set()))


def returns_nothing(endpoint: Callable[..., Any]) -> bool:
    """Return True if the annotation of an endpoint says that it returns None."""
    return inspect.signature(endpoint).return_annotation is None


def operation_id(route: APIRoute) -> str:
    """Return the operation id of a route: the name of its endpoint in camel case, such as `startPayment`."""
    first, *words = route.name.split("_")
    return first + "".join(word.capitalize() for word in words)


class Router(APIRouter):
    """A router whose routes follow the rules of `Route`, unless another `route_class` is given."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"route_class": Route, "generate_unique_id_function": operation_id, **options})


def _of_dependencies(dependant: Dependant) -> Iterator[type[Problem]]:
    for dependency in dependant.dependencies:
        yield from _of_dependencies(dependency)
        if dependency.call is not None:
            yield from declared_problems(dependency.call)


def _check_content_type(request: Request, accepted: str | None) -> None:
    """Raise UnsupportedMediaType if a body has no Content-Type or not the accepted one. None accepts every one."""
    headers = request.headers
    if headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers:
        return
    content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if accepted == JSON and content_type.startswith("application/") and content_type.endswith("+json"):
        return
    if content_type == accepted or (content_type and accepted is None):
        return
    raise UnsupportedMediaType(
        f"The request body must have the Content-Type {accepted or JSON}.", headers={"Accept": accepted or JSON}
    )


def _check_query(request: Request, known: frozenset[str]) -> None:
    """Remove blank query parameters. Raise InvalidRequest if one is not known."""
    query = request.scope["query_string"].decode("latin-1")
    parameters = parse_qsl(query, keep_blank_values=True)
    unknown = list(dict.fromkeys(name for name, _ in parameters if name not in known))
    if unknown:
        errors = [{"type": "unknown_parameter", "loc": ("query", name)} for name in unknown[:MAX_ERRORS]]
        raise InvalidRequest(describe(errors[0]), errors=[field_error(error).model_dump() for error in errors])
    filled = [(name, value) for name, value in parameters if value.strip()]
    if len(filled) < len(parameters):
        request.scope["query_string"] = urlencode(filled).encode()
