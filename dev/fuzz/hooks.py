"""Hooks of schemathesis: requests that it expects to be refused, although the services document that they accept them, are not sent.

A blank query parameter counts as absent (docs/integrating.md). schemathesis expects a blank value of a parameter to be refused, and also a
value that leaves no trace in the URL, such as an empty list. tests/integration/test_http_rules.py sends both.

It also expects a number to be refused where a parameter is a list of texts. In the URL, the number is a list with one text.
"""

from typing import Any

import schemathesis


@schemathesis.hook
def filter_case(_: schemathesis.HookContext, case: schemathesis.Case[Any]) -> bool:
    """Return whether to send a request: only if all its query parameters have values, and no number is given for a list."""
    lists = _list_parameters(case.operation.definition.raw)
    return not any(
        _is_absent(value) or (name in lists and isinstance(value, int | float))
        for name, value in (case.query or {}).items()
    )


def _list_parameters(operation: dict[str, Any]) -> set[str]:
    """Return the names of the query parameters that are lists."""
    found = set()
    for parameter in operation.get("parameters", ()):
        schema = parameter.get("schema", {})
        if any(each.get("type") == "array" for each in (schema, *schema.get("anyOf", ()))):
            found.add(parameter["name"])
    return found


def _is_absent(value: object) -> bool:
    if isinstance(value, str):
        return not value.strip()
    if isinstance(value, list | tuple | dict):  # of an object, only the names are sent
        return all(map(_is_absent, value))
    return value is None
