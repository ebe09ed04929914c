"""The part of JSON Schema that the schemas of Paystack's responses need."""

import re
from typing import Any

Schema = dict[str, Any]
TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}
KEYWORDS = {
    *("type", "properties", "required", "items", "enum", "pattern", "not", "anyOf", "oneOf", "allOf"),
    *("additionalProperties", "minProperties"),
}


def problems(schema: Schema, value: Any, where: str = "$") -> list[str]:
    """Return the violations of `schema` by `value`, as sentences."""
    assert schema.keys() <= KEYWORDS, f"unknown keywords: {schema.keys() - KEYWORDS}"
    if "type" in schema and not _has_type(value, schema["type"]):
        return [f"{where}: {value!r} is no {schema['type']}"]
    found: list[str] = []
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{where}: {value!r} is none of {schema['enum']}")
    if "pattern" in schema and isinstance(value, str) and not re.search(schema["pattern"], value):
        found.append(f"{where}: {value!r} does not match {schema['pattern']}")
    if "not" in schema and not problems(schema["not"], value, where):
        found.append(f"{where}: matches a forbidden schema")
    found += _combination_problems(schema, value, where)
    if isinstance(value, dict):
        found += _object_problems(schema, value, where)
    if isinstance(value, list) and "items" in schema:
        for index, each in enumerate(value):
            found += problems(schema["items"], each, f"{where}[{index}]")
    return found


def _combination_problems(schema: Schema, value: Any, where: str) -> list[str]:
    found = [each for part in schema.get("allOf", ()) for each in problems(part, value, where)]
    for keyword, wanted in (("anyOf", range(1, 100)), ("oneOf", range(1, 2))):
        fitting = sum(not problems(part, value, where) for part in schema.get(keyword, ()))
        if keyword in schema and fitting not in wanted:
            found.append(f"{where}: {value!r} fits {fitting} of {len(schema[keyword])}")
    return found


def _object_problems(schema: Schema, value: dict[str, Any], where: str) -> list[str]:
    found = [f"{where}: {name} is missing" for name in schema.get("required", ()) if name not in value]
    known = schema.get("properties", {})
    for name, inner in known.items():
        if name in value:
            found += problems(inner, value[name], f"{where}.{name}")
    more = schema.get("additionalProperties", True)
    for name in value.keys() - known.keys():
        if more is False:
            found.append(f"{where}: {name} is not known")
        elif isinstance(more, dict):
            found += problems(more, value[name], f"{where}.{name}")
    if len(value) < schema.get("minProperties", 0):
        found.append(f"{where}: too few properties")
    return found


def _has_type(value: Any, kinds: str | list[str]) -> bool:
    names = [kinds] if isinstance(kinds, str) else kinds
    if isinstance(value, bool):
        return "boolean" in names
    return any(isinstance(value, TYPES[name]) for name in names)
