"""The OpenAPI document of a service, with the schemas of its errors."""

import json
import re
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.routing import Route as PlainRoute

from kit.errors import MethodNotAllowed
from kit.http.etags import conditional_response
from kit.http.routing import Route
from kit.problem_responses import problem_responses, take_definitions

DESCRIPTION = """

Errors are `application/problem+json` with the schema `Problem` (RFC 9457). Each operation lists the codes that it can answer.
A path that is not in this document is answered with 404 `not_found`, and a method that its path does not have with 405
`method_not_allowed`: the header `Allow` lists the methods. HEAD works wherever GET does. Unknown query parameters are refused with
422 `invalid_request`; blank ones count as absent.
"""


def complete_openapi(app: FastAPI) -> None:
    """Complete the OpenAPI document of the app with the schemas of errors. Call it once, before the document is read."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = generate()
            _add_method_not_allowed(document["paths"])
            _allow_blank_parameters(app, document["paths"])
            schemas = document["components"]["schemas"]
            for operation in _operations(document):
                for response in operation["responses"].values():
                    schemas |= take_definitions(response)
            document["components"]["schemas"] = dict(sorted(schemas.items()))
        return generate()

    # FastAPI's documented way to change the document
    app.openapi = openapi  # type: ignore[method-assign]
    # Before FastAPI's own route, which encodes the document again for each request: that blocks the other requests for some milliseconds.
    app.router.routes.insert(0, PlainRoute("/openapi.json", _document_endpoint(app), include_in_schema=False))


def _document_endpoint(app: FastAPI) -> Callable[[Request], Awaitable[Response]]:
    content = b""

    async def get_document(request: Request) -> Response:
        nonlocal content
        content = content or json.dumps(app.openapi(), separators=(",", ":")).encode()
        return conditional_response(request, content, media_type="application/json", cache_control="no-cache")

    return get_document


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for methods in document["paths"].values():
        yield from methods.values()


def _add_method_not_allowed(paths: dict[str, dict[str, Any]]) -> None:
    """Add 405 to operations whose URL, if a parameter contains a slash, matches another path that does not have their method."""
    for path, operations in paths.items():
        pattern = re.compile(re.sub(r"\\\{\w+\\\}", ".+", re.escape(path)))
        others = {
            method: [_sample(other) for other, methods in paths.items() if other != path and method not in methods]
            for method in operations
        }
        for method, operation in operations.items():
            if any(pattern.fullmatch(other) for other in others[method]):
                added = problem_responses(MethodNotAllowed)
                operation["responses"] |= {str(status): response for status, response in added.items()}


def _allow_blank_parameters(app: FastAPI, paths: dict[str, dict[str, Any]]) -> None:
    """Say that optional query parameters may be blank, where blank ones count as absent."""
    for route in app.routes:
        if isinstance(route, Route) and route.path in paths and not route.accepts_other_parameters:
            for operation in paths[route.path].values():
                for parameter in operation.get("parameters", ()):
                    if parameter["in"] == "query" and not parameter["required"]:
                        parameter["allowEmptyValue"] = True


def _sample(path: str) -> str:
    return re.sub(r"\{\w+\}", "x", path)
