"""Hooks of schemathesis: requests that it expects to be refused, although the services document that they accept them, are not sent.

A blank query parameter counts as absent (docs/integrating.md). schemathesis expects a blank value of a parameter to be refused, and also a
value that leaves no trace in the URL, such as an empty list. tests/integration/test_http_rules.py sends both.
"""

from typing import Any

import schemathesis


@schemathesis.hook
def filter_case(_: schemathesis.HookContext, case: schemathesis.Case[Any]) -> bool:
    """Return whether to send a request: only if all its query parameters have values."""
    return not any(_is_absent(value) for value in (case.query or {}).values())


def _is_absent(value: object) -> bool:
    if isinstance(value, str):
        return not value.strip()
    if isinstance(value, list | tuple):
        return all(map(_is_absent, value))
    return value is None or value == {}
