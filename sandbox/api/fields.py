"""Fields of the bodies that a merchant sends."""

import json
from typing import Any
from urllib.parse import parse_qsl

from sandbox.errors import InvalidParams

FIELD_LIMIT = 200


def parse_fields(content_type: str, body: bytes) -> dict[str, Any]:
    """Return the fields of a JSON or form body. Raises InvalidParams."""
    try:
        if content_type.partition(";")[0].strip().lower() == "application/x-www-form-urlencoded":
            return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELD_LIMIT))
        fields = json.loads(body, parse_constant=reject_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidParams("The body is neither JSON nor a form") from error
    if not isinstance(fields, dict):
        raise InvalidParams("The body must be a JSON object")
    return fields


def reject_constant(name: str) -> None:
    """Raise ValueError for NaN and Infinity (`parse_constant` of json.loads)."""
    raise ValueError(name)


def is_utf8(text: str) -> bool:
    """Return False for a string with lone surrogates, which cannot be stored as UTF-8."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def optional_string(fields: dict[str, Any], name: str, max_length: int) -> str | None:
    """Return a string field, or None when it is absent or empty. Raises InvalidParams."""
    value = fields.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > max_length or not is_utf8(value):
        raise InvalidParams(f"{name} must be a string of {max_length} characters at most")
    return value


def required_string(fields: dict[str, Any], name: str, max_length: int) -> str:
    """Return a string field. Raises InvalidParams, also when it is absent or empty."""
    value = optional_string(fields, name, max_length)
    if value is None:
        raise InvalidParams(f"{name} is required")
    return value
