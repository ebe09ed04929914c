"""No parameter or field of a request has a pattern that pydantic checks itself: its message would show the pattern to the client."""

from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import TypeAdapter
from pydantic.fields import FieldInfo

from services.auth.app import app as auth_app
from services.catalog.app import app as catalog_app
from services.payments.app import app as payments_app

ROUTES = [route for app in (auth_app, catalog_app, payments_app) for route in app.routes if isinstance(route, APIRoute)]


def patterns(schema: Any) -> Iterator[str]:
    """Yield the patterns in a core schema of pydantic, which checks them itself."""
    if isinstance(schema, dict):
        if schema.get("type") == "str" and schema.get("pattern"):
            yield schema["pattern"]
        for value in schema.values():
            yield from patterns(value)
    elif isinstance(schema, list | tuple):
        for value in schema:
            yield from patterns(value)


def fields(dependant: Dependant) -> Iterator[FieldInfo]:
    for found in ("path_params", "query_params", "header_params", "cookie_params", "body_params"):
        yield from (field.field_info for field in getattr(dependant, found))
    for dependency in dependant.dependencies:
        yield from fields(dependency)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_request_has_no_pattern_that_pydantic_checks_itself(route: APIRoute) -> None:
    for field in fields(route.dependant):
        annotated: Any = Annotated[field.annotation, field]
        assert list(patterns(TypeAdapter(annotated).core_schema)) == [], field
