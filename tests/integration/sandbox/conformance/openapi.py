"""Paystack's own OpenAPI specification and samples, if `../shared/paystack` is beside this repository. Nothing of them is copied."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.integration.sandbox.conformance.json_schema import KEYWORDS, Schema

FOLDER = Path(__file__).parents[5] / "shared" / "paystack"
METHODS = ("get", "post", "put", "delete", "patch")
Operation = tuple[str, str]
"""Method, and path with {} in place of each parameter name."""


def operation(method: str, path: str) -> Operation:
    return method.upper(), re.sub(r"\{[^}]*\}", "{}", path)


@cache
def specification() -> dict[str, Any]:
    with (FOLDER / "openapi.yaml").open(encoding="utf-8") as file:
        found: dict[str, Any] = yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    return found


def operations(document: dict[str, Any]) -> dict[Operation, dict[str, Any]]:
    """Return the operations of an OpenAPI document. The parameters of a path are added to each of its operations."""
    return {
        operation(method, path): each | {"parameters": [*item.get("parameters", ()), *each.get("parameters", ())]}
        for path, item in document["paths"].items()
        for method, each in item.items()
        if method in METHODS
    }


def resolve(document: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in part:
        found = document
        for name in part["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        part = found
    return part


def query_parameters(document: dict[str, Any], described: dict[str, Any]) -> set[str]:
    """Return the names of an operation's query parameters."""
    parameters = [resolve(document, each) for each in described["parameters"]]
    return {each["name"] for each in parameters if each["in"] == "query"}


def body_schema(document: dict[str, Any], described: dict[str, Any]) -> Schema:
    """Return the schema of an operation's JSON body, or {} if it has none."""
    content = resolve(document, described.get("requestBody", {})).get("content", {})
    if not content:
        return {}
    schema = to_json_schema(document, content["application/json"]["schema"])
    for part in schema.pop("allOf", ()):
        schema["properties"] = schema.get("properties", {}) | part.get("properties", {})
        schema["required"] = [*schema.get("required", ()), *part.get("required", ())]
    return schema


def response_schema(document: dict[str, Any], described: dict[str, Any]) -> Schema:
    """Return the schema of an operation's response with status 200."""
    response = resolve(document, described["responses"]["200"])
    return to_json_schema(document, response["content"]["application/json"]["schema"])


def to_json_schema(document: dict[str, Any], schema: dict[str, Any]) -> Schema:
    """Convert a schema of OpenAPI 3.0 to JSON Schema: no references, and null as a type."""
    schema = resolve(document, schema)
    found = {keyword: value for keyword, value in schema.items() if keyword in KEYWORDS}
    for keyword in ("anyOf", "oneOf", "allOf"):
        if keyword in found:
            found[keyword] = [to_json_schema(document, each) for each in found[keyword]]
    for keyword in ("items", "not", "additionalProperties"):
        if isinstance(found.get(keyword), dict):
            found[keyword] = to_json_schema(document, found[keyword])
    if "properties" in found:
        found["properties"] = {name: to_json_schema(document, each) for name, each in found["properties"].items()}
    if schema.get("nullable"):
        if "type" in found:
            found["type"] = [found["type"], "null"]
        if "enum" in found:
            found["enum"] = [*found["enum"], None]
    return found


def sample(path: str) -> Any:
    return json.loads((FOLDER / path).read_text("utf-8"))
