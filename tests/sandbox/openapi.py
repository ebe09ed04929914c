"""Paystack's own OpenAPI specification and samples, where they lie beside the checkout. Nothing of them is copied into it."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.sandbox.json_schema import KEYWORDS, Schema

FOLDER = Path(__file__).parents[3] / "shared" / "paystack"
METHODS = ("get", "post", "put", "delete", "patch")

Operation = tuple[str, str]
"""GET, and the path with {} for each parameter, whatever its name."""


def operation(method: str, path: str) -> Operation:
    return method.upper(), re.sub(r"\{[^}]*\}", "{}", path)


@cache
def specification() -> dict[str, Any]:
    with (FOLDER / "openapi.yaml").open(encoding="utf-8") as file:
        found: dict[str, Any] = yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    return found


def operations(document: dict[str, Any]) -> dict[Operation, dict[str, Any]]:
    """Of an OpenAPI document; the parameters of a path are in each of its operations."""
    return {
        operation(method, path): each | {"parameters": [*item.get("parameters", ()), *each.get("parameters", ())]}
        for path, item in document["paths"].items()
        for method, each in item.items()
        if method in METHODS
    }


def resolved(document: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in part:
        found = document
        for name in part["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        part = found
    return part


def query(document: dict[str, Any], described: dict[str, Any]) -> set[str]:
    """The names of an operation's query parameters."""
    parameters = [resolved(document, each) for each in described["parameters"]]
    return {each["name"] for each in parameters if each["in"] == "query"}


def body(document: dict[str, Any], described: dict[str, Any]) -> Schema:
    """What an operation takes as JSON; {} when it takes nothing."""
    content = resolved(document, described.get("requestBody", {})).get("content", {})
    return plain(document, content["application/json"]["schema"]) if content else {}


def answered(document: dict[str, Any], described: dict[str, Any]) -> Schema:
    """What an operation answers when all is well."""
    response = resolved(document, described["responses"]["200"])
    return plain(document, response["content"]["application/json"]["schema"])


def plain(document: dict[str, Any], schema: dict[str, Any]) -> Schema:
    """A schema of OpenAPI 3.0 in the words of JSON Schema: no references, and null as a type."""
    schema = resolved(document, schema)
    found = {keyword: value for keyword, value in schema.items() if keyword in KEYWORDS}
    for keyword in ("anyOf", "oneOf", "allOf"):
        if keyword in found:
            found[keyword] = [plain(document, each) for each in found[keyword]]
    for keyword in ("items", "not", "additionalProperties"):
        if isinstance(found.get(keyword), dict):
            found[keyword] = plain(document, found[keyword])
    if "properties" in found:
        found["properties"] = {name: plain(document, each) for name, each in found["properties"].items()}
    if schema.get("nullable"):
        if "type" in found:
            found["type"] = [found["type"], "null"]
        if "enum" in found:
            found["enum"] = [*found["enum"], None]
    return found


def sample(path: str) -> Any:
    return json.loads((FOLDER / path).read_text("utf-8"))
