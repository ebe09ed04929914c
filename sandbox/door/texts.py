"""Texts that a merchant sends in a body."""

from typing import Any

from sandbox.errors import InvalidParams
from sandbox.transactions.initialization import storable


def text(sent: dict[str, Any], name: str, longest: int) -> str | None:
    """None when it is not there. Errors: InvalidParams, also when it is longer than `longest` characters."""
    value = sent.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > longest or not storable(value):
        raise InvalidParams(f"{name} must be a text of {longest} characters at most")
    return value


def required(sent: dict[str, Any], name: str, longest: int) -> str:
    value = text(sent, name, longest)
    if value is None:
        raise InvalidParams(f"{name} is required")
    return value
