"""Validation errors in plain words, such as `quantity: must be at least 1.`"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

MAX_ERRORS = 50
"""`errors` lists at most this number of errors."""


class FieldError(BaseModel):
    """One invalid field or parameter of a request."""

    model_config = ConfigDict(title="FieldError", serialize_by_alias=True)

    location: str = Field(
        alias="in",
        description="The part of the request (`body`, `query`, `path` or `header`) and the location of the field in it, separated by dots: "
        "`body.items.0.quantity`",
    )
    message: str = Field(description="What is wrong, in plain words: `must be at least 1`")
    type: str = Field(description="The kind of the error, for programs: `missing`, `greater_than_equal`, ...")


MESSAGES = {
    "missing": "is missing",
    "extra_forbidden": "is not a known field",
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be greater than {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be less than {lt}",
    "string_too_short": "is too short (minimum length: {min_length})",
    "string_too_long": "is too long (maximum length: {max_length})",
    "too_short": "has too few items (minimum: {min_length})",
    "too_long": "has too many items (maximum: {max_length})",
    "int_type": "must be an integer",
    "int_parsing": "must be an integer",
    "int_from_float": "must be an integer",
    "string_type": "must be a string",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "uuid_type": "must be a UUID",
    "uuid_parsing": "must be a UUID",
    "literal_error": "must be one of {expected}",
    "enum": "must be one of {expected}",
    "json_invalid": "is not valid JSON",
    "string_pattern_mismatch": "does not have the required form",
    "unknown_parameter": "is not a known parameter",
}
"""Our messages by pydantic's error type, and by our own types. The other types have pydantic's message."""


def describe(error: Mapping[str, Any]) -> str:
    """Return an error as a sentence with the name of the field, such as `quantity: must be at least 1.`"""
    location = error["loc"][1:]  # the first item is "body", "query", ...
    if not location or error["type"] == "json_invalid":
        location = error["loc"][:1]
    return f"{_path(location)}: {_message(error)}."


def field_error(error: Mapping[str, Any]) -> FieldError:
    """Return an error as an item of `errors`.

    It does not contain the invalid input: that may be a secret, and it may not be encodable in UTF-8.
    """
    return FieldError(**{"in": _path(error["loc"]), "message": _message(error), "type": error["type"]})


def _path(location: tuple[str | int, ...]) -> str:
    return _encodable(".".join(map(str, location)))[:200]


def _message(error: Mapping[str, Any]) -> str:
    message_format = MESSAGES.get(error["type"])
    if message_format is not None:
        return message_format.format_map(error.get("ctx", {}))[:500]
    message = _encodable(str(error["msg"]))[:500].rstrip(".")
    if error["type"] == "value_error":  # raised by our own validators
        return message.removeprefix("Value error, ")
    return message[:1].lower() + message[1:]


def _encodable(value: str) -> str:
    """Replace the characters that UTF-8 cannot encode (lone surrogates)."""
    return value.encode("utf-8", "replace").decode()
