"""A path without parameters belongs to its own route for all methods: /payments/charge is never the payment with the reference `charge`."""

import re
from collections.abc import Iterable

from starlette.routing import BaseRoute, Route


def prefer_fixed_paths(routes: Iterable[BaseRoute]) -> None:
    """Exclude the fixed paths from the routes whose parameters would match them too.

    Starlette asks the routes one after another, and takes the first one that has the path and the method. So GET /payments/charge was
    answered by GET /payments/{reference}, and `Allow` named its methods for both paths.
    """
    found = [route for route in routes if isinstance(route, Route)]
    fixed = {route.path for route in found if not route.param_convertors}
    for route in found:
        matched = sorted(re.escape(path) for path in fixed if route.param_convertors and route.path_regex.match(path))
        if matched:
            pattern = route.path_regex.pattern.removeprefix("^")
            route.path_regex = re.compile(f"^(?!(?:{'|'.join(matched)})\\Z){pattern}")
