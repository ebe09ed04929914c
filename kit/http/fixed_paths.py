"""A path without parameters belongs to its own route for all methods: /payments/charge is never the payment with the reference `charge`."""

import re
from collections.abc import Iterable

from starlette.routing import BaseRoute, Route


def prefer_fixed_paths(routes: Iterable[BaseRoute]) -> None:
    """Exclude the fixed paths from the routes whose parameters would match them too.

    Starlette takes the first route that matches the path and the method. Without this function, GET /payments/{reference} would answer
    GET /payments/charge, and `Allow` would list the methods of both routes.
    """
    found = [route for route in routes if isinstance(route, Route)]
    fixed = {route.path for route in found if not route.param_convertors}
    for route in found:
        matched = sorted(re.escape(path) for path in fixed if route.param_convertors and route.path_regex.match(path))
        if matched:
            pattern = route.path_regex.pattern.removeprefix("^")
            route.path_regex = re.compile(f"^(?!(?:{'|'.join(matched)})\\Z){pattern}")
