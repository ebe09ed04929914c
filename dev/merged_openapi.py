"""Merge the OpenAPI documents of the services into the document of the gateway, docs/openapi/shop.json."""

from collections.abc import Iterator, Mapping
from typing import Any

Json = dict[str, Any]

ROUTED = {
    "auth": ("/auth", "/.well-known"),
    "catalog": ("/catalog",),
    "payments": ("/payments",),
}
"""The prefixes of the paths that the gateway routes to each service, as in deploy/gateway/Caddyfile."""

INTERNAL = ("/auth/revocations", "/auth/check")
"""The paths with such a prefix that the gateway does not route."""

INDEX = "/"
"""The only path that every service has and that the gateway answers itself, with the same schema."""

INFO = {
    "title": "shop",
    "version": "1",
    "description": (
        "The API of the shop: accounts and access tokens, products and orders, payments. Amounts are integers in subunits of the currency "
        "(kobo, pesewa, cent). Times are UTC. Errors are problem+json (RFC 9457) with a stable `code`."
    ),
}
SERVERS = [{"url": "/", "description": "The gateway that serves this document"}]


class DuplicateOperation(Exception):
    """Two operations have the same path or the same operationId."""


def merge(documents: Mapping[str, Json]) -> Json:
    """Return the document of the gateway from the documents of the services by name.

    Components with the same name and content are shared. Where the contents differ, each one gets the name of its service as a prefix.
    Raises DuplicateOperation.
    """
    merged: Json = {
        "openapi": next(iter(documents.values()))["openapi"],
        "info": INFO,
        "servers": SERVERS,
        "paths": {},
        "components": {},
    }
    differing = differing_components(documents)
    for service, document in documents.items():
        renamed = rename(document, differing, service.capitalize())
        for path, item in renamed["paths"].items():
            published = path == INDEX or is_routed(service, path)
            if published and merged["paths"].setdefault(path, item) != item:
                raise DuplicateOperation(path)
        for kind, components in renamed.get("components", {}).items():
            merged["components"].setdefault(kind, {}).update(components)
    remove_unused_schemas(merged)
    check_operation_ids(merged)
    return merged


def is_routed(service: str, path: str) -> bool:
    """Return True if the gateway routes a path to this service."""
    return path not in INTERNAL and any(path == prefix or path.startswith(f"{prefix}/") for prefix in ROUTED[service])


def differing_components(documents: Mapping[str, Json]) -> set[str]:
    """Return the references (`#/components/schemas/Problem`) whose content is not the same in all documents that have it."""
    found: dict[str, list[Any]] = {}
    for document in documents.values():
        for kind, components in document.get("components", {}).items():
            for name, content in components.items():
                found.setdefault(f"#/components/{kind}/{name}", []).append(content)
    differing = {reference for reference, contents in found.items() if any(one != contents[0] for one in contents)}
    # A component with equal content differs too if it refers to one that differs.
    while True:
        more = {
            reference
            for reference, contents in found.items()
            if len(contents) > 1 and reference not in differing and differing & set(references(contents[0]))
        }
        if not more:
            return differing
        differing |= more


def rename(document: Json, differing: set[str], prefix: str) -> Json:
    """Return a document in which the differing components, and all references to them, have a prefix."""

    def replaced(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: replaced(item) for key, item in value.items()}
        if isinstance(value, list):
            return [replaced(item) for item in value]
        if isinstance(value, str) and value in differing:
            kind, name = value.removeprefix("#/components/").split("/")
            return f"#/components/{kind}/{prefix}{name}"
        return value

    result: Json = replaced(document)
    for kind, components in result.get("components", {}).items():
        result["components"][kind] = {
            f"{prefix}{name}" if f"#/components/{kind}/{name}" in differing else name: content
            for name, content in components.items()
        }
    return result


def references(value: Any) -> Iterator[str]:
    """Yield every `$ref`, and every target of a discriminator's mapping, in a part of a document."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "$ref" and isinstance(item, str):
                yield item
            elif key == "mapping" and isinstance(item, dict):
                yield from item.values()
            else:
                yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def remove_unused_schemas(document: Json) -> None:
    """Remove the schemas that only the omitted paths use."""
    schemas = document["components"].get("schemas", {})
    used: set[str] = set()
    new = set(references({**document, "components": {**document["components"], "schemas": {}}}))
    while new:
        used |= new
        names = (reference.removeprefix("#/components/schemas/") for reference in new)
        new = {found for name in names if name in schemas for found in references(schemas[name])} - used
    document["components"]["schemas"] = {
        name: content for name, content in schemas.items() if f"#/components/schemas/{name}" in used
    }


def check_operation_ids(document: Json) -> None:
    """Raise DuplicateOperation if two operations have the same operationId."""
    seen: set[str] = set()
    for item in document["paths"].values():
        for operation in item.values():
            if isinstance(operation, dict) and "operationId" in operation:
                if operation["operationId"] in seen:
                    raise DuplicateOperation(operation["operationId"])
                seen.add(operation["operationId"])
